import ClientWire
import ContinuoClient
import ContinuoServer
import Foundation
import MessagingCore
import MessagingService

/// The people of a provider of the demo: made on the first run, found again on later ones.
struct DemoPeople: Sendable {
    let provider: DemoProvider
    let server: ContinuoServer
    let devices: String

    func settle() async throws {
        for person in provider.people {
            try await account(person)
            for device in person.devices { try await settle(device, of: person) }
        }
    }

    /// Makes a device of the command line; one that is there is kept, wherever the server listens now.
    private func settle(_ device: (name: String, label: String, kind: DeviceKind), of person: DemoPerson) async throws {
        let place = ServerAddress(url: provider.url)
        let address = try Address("\(person.locals[0])@\(provider.domain)")
        if let kept = try? DeviceProfile(name: device.name, in: devices) {
            if kept.description.address == address {
                if kept.description.server != place { _ = try kept.moved(to: place) }
                return
            }
            // It is of a demo with other domains.
            try kept.remove()
        }
        let answer = try await ContinuoClient(server: place)
            .logIn(
                address: address,
                password: DemoPlan.password,
                device: DeviceDescription(kind: device.kind, label: device.label)
            )
        let profile = try DeviceProfile.create(
            name: device.name,
            in: devices,
            description: DeviceProfile.Description(
                server: place,
                account: answer.account,
                device: answer.device,
                address: address,
                label: device.label,
                kind: device.kind
            ),
            token: answer.token
        )
        // What there is to be shown in a conversation, when the program runs beside the demo's files.
        let video = "docs/demo/harbour.webm"
        if device.name == "bob-pda", FileManager.default.fileExists(atPath: video) {
            let client = try profile.client()
            let upload = try await client.upload(file: video, type: "video/webm", name: "harbour.webm")
            _ = try await client.putFile(upload: upload.id, name: "harbour.webm")
        }
        if device.name == "alice-laptop" {
            let client = try profile.client()
            _ = try await client.putRules(try aliceRules())
            _ = try await client.putSettings(AccountSettings(tellDevices: .devices))
        }
    }

    private func account(_ person: DemoPerson) async throws {
        let addresses = try person.locals.map { try Address("\($0)@\(provider.domain)") }
        do {
            _ = try await server.service.findAccount(addresses[0].description)
        } catch let refusal as Refusal where refusal.code == .notFound {
            _ = try await server.service.createAccount(
                AccountRequest(name: person.name, addresses: addresses, password: DemoPlan.password, balance: 1000)
            )
        }
    }

    private func aliceRules() throws -> RuleBook {
        var business = Conditions()
        business.to = [try Address("alice.work@\(provider.domain)")]
        var computer = Conditions()
        computer.deviceKinds = [.computer]
        var pictures = Conditions()
        pictures.deviceKinds = [.fixedPhone]
        pictures.media = [try MediaPattern("image/*"), try MediaPattern("video/*")]
        var large = Conditions()
        large.deviceKinds = [.mobile]
        large.atLeastBytes = 1 << 20
        var book = RuleBook()
        book.revision = 0
        book.incoming.rules = [
            Rule(name: "business", when: business, unless: computer, then: Outcome(.nothing)),
            Rule(name: "no pictures", when: pictures, then: Outcome(.nothing)),
            Rule(name: "large", when: large, then: Outcome(.notification)),
        ]
        return book
    }
}
