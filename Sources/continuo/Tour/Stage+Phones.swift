import ClientWire
import ContinuoClient
import Foundation
import MessagingCore
import SessionCore

/// SIP phones of both providers that call each other, and a call that moves between two of one person.
extension Stage {
    /// Alice's fixed phone calls Bob's, and hands the call on to her kitchen phone by REFER.
    func movedCall() async throws -> String {
        for name in ["alice-mobile", "bob-mobile"] {
            for one in try await client(name).sessions() where one.state != .over {
                _ = try? await client(name).leave(one.id)
            }
        }
        guard let fixed = phone else { throw TourFailure("the fixed phone is unplugged") }
        let (kitchen, own) = try await plugIn("alice-mobile", "Alice's kitchen phone", tone: 1500)
        defer { kitchen.end() }
        let (bobs, other) = try await plugIn("bob-mobile", "Bob's desk phone", tone: 900)
        defer { bobs.end() }
        try fixed.command("dial sip:\(Self.bob)")
        let id: SessionID = try await eventually("Bob's desk phone rings") {
            guard bobs.shows.contains("Incoming call from") else { return nil }
            return try await client("alice-mobile").sessions().first { $0.state == .calling }?.id
        }
        try bobs.command("accept")
        _ = try await eventually("the phones hear each other") {
            fixed.hears(bobs) && bobs.hears(fixed) ? true : nil
        }
        try fixed.command("transfer \(Self.address(of: own))")
        _ = try await eventually("the kitchen phone rings") {
            kitchen.shows.contains("Incoming call from") ? true : nil
        }
        let start = ContinuousClock.now
        try kitchen.command("accept")
        _ = try await eventually("the kitchen phone and Bob's hear each other") {
            kitchen.hears(bobs) && bobs.hears(kitchen) ? true : nil
        }
        let took = start.duration(to: .now)
        let call = try await client("alice-mobile").session(id)
        let places = call.media.flatMap(\.placements).filter { $0.user == call.user }
        guard places.map(\.device) == [own.device.id] else {
            throw TourFailure("the voice is not on the kitchen phone: \(places)")
        }
        try kitchen.command("hangup")
        _ = try await eventually("the call is over") {
            try await client("bob-mobile").session(id).state == .over ? true : nil
        }
        try await client("alice-mobile").revokeDevice(own.device.id)
        try await client("bob-mobile").revokeDevice(other.device.id)
        return String(
            format:
                "a call from the fixed phone to Bob's desk phone, handed on to the kitchen phone: heard there and by "
                + "Bob %.1f s after it was taken",
            took.seconds
        )
    }

    /// The address of one device, as a REFER names it.
    private static func address(of phone: PhoneAnswer) -> String {
        "\(phone.address);gr=urn:continuo:device:\(phone.device.id.rawValue)"
    }

    /// A phone more, registered.
    private func plugIn(_ person: String, _ label: String, tone: Int) async throws -> (Baresip, PhoneAnswer) {
        let client = try client(person)
        let account = try await client.addPhone(PhoneRequest(label: label, kind: .fixedPhone))
        let phone = try Baresip(account, port: provider(of: person).ports.sip, tone: tone, folder: folder)
        _ = try await eventually("\(label) registers") {
            try await client.devices().first { $0.device.id == account.device.id && $0.isConnected }
        }
        return (phone, account)
    }
}

extension Duration {
    fileprivate var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
