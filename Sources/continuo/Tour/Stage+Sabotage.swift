import ClientWire
import ContinuoClient
import MessagingCore
import SessionCore

/// What takes the mechanism of a step away.
extension Stage {
    /// Something that is not to be disturbed by what it does to a device that is gone already.
    private func devices(of person: String) async throws -> [DeviceStatus] {
        try await client("\(person)-mobile").devices()
    }

    func revoke(_ device: String) async throws {
        try await revokeDevice(device == "bob-mobile" ? "Bob's mobile" : "Alice's mobile")
    }

    func revokeDevice(_ label: String) async throws {
        let person = label.hasPrefix("Alice") ? "alice" : "bob"
        guard let one = try await devices(of: person).first(where: { $0.device.label == label }) else {
            throw TourFailure("there is no \(label)")
        }
        try await client("\(person)-mobile").revokeDevice(one.device.id)
    }

    func revokePhone() async throws { try await revokeDevice("Alice's fixed phone") }

    func removeRules() async throws {
        let alice = try client("alice-mobile")
        var book = RuleBook()
        book.revision = try await alice.rules().revision
        _ = try await alice.putRules(book)
    }

    func cut(_ name: String) async throws {
        try await page(name).call("Network.enable")
        try await page(name).call(
            "Network.emulateNetworkConditions",
            [
                "offline": .bool(true), "latency": .integer(0), "downloadThroughput": .integer(-1),
                "uploadThroughput": .integer(-1),
            ]
        )
    }

    func doNotDisturb() async throws {
        let alice = try client("alice-mobile")
        var availability = try await alice.availability()
        availability.state = .doNotDisturb
        _ = try await alice.putAvailability(availability)
    }

    func showNoDevices() async throws { try await change { $0.tellDevices = .nothing } }

    private func change(_ change: (inout AccountSettings) -> Void) async throws {
        let alice = try client("alice-mobile")
        var settings = try await alice.settings()
        change(&settings)
        _ = try await alice.putSettings(settings)
    }

    func endTalk() async throws { _ = try await client("alice-mobile").leave(try current) }

    func closePaths() async throws {
        // The path that is there, and any that would be made instead.
        let script = """
            window.RTCPeerConnection = class { constructor() { throw new Error("no path"); } };
            tour.connections.forEach((one) => one.close());
            """
        for name in Self.pages { try await page(name).run(script) }
    }

    func deleteVideos() async throws {
        let bob = try client("bob-mobile")
        for file in try await bob.files().files { try await bob.deleteFile(file.id) }
    }
}
