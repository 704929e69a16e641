import AppGateway
import ArgumentParser
import ClientWire
import ContinuoClient
import ContinuoServer
import Foundation
import Logging
import MessagingCore
import MessagingService
import Synchronization
import WebFiles

/// `continuo demo`
struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a server with two people and their devices, and print what to try."
    )
    @Option(help: ArgumentHelp("Where the demo keeps everything.", valueName: "folder"))
    var folder = ".demo"
    @Option(help: "Port for devices; the operator's interface is on the next one.")
    var port = 8080
    @Option(help: ArgumentHelp("Serve the web client from a folder, to work on it.", valueName: "folder"))
    var web: String?

    func run() async throws {
        let root = URL(fileURLWithPath: folder).path
        var configuration = Configuration()
        configuration.data = root + "/data"
        configuration.domains = [DemoPeople.domain]
        configuration.listen.port = port
        configuration.operatorListen.port = port == 0 ? 0 : port + 1
        configuration.logLevel = "warning"
        let server = try await openServer(configuration, makeLogger(configuration.logLevel))
        raiseDescriptorLimit()
        let people = DemoPeople(server: server, devices: root + "/continuo/devices")
        let failure = Failure()
        let shownFolder = folder
        do {
            let pages = WebPages(files: web.map(WebFiles.inFolder) ?? .embedded, demo: try DemoPeople.page())
            try await server.run(pages: pages) { addresses in
                Task {
                    do {
                        try await people.settle(url: "http://\(addresses.client)")
                        printGuide(folder: shownFolder, addresses, token: try server.folder.operatorToken())
                    } catch {
                        failure.set(commandFailure(error))
                        kill(getpid(), SIGTERM)
                    }
                }
            }
        } catch {
            throw CommandFailure.refused(
                "the demo cannot run on ports \(port) and \(port + 1): \(error)\n    give other ones with --port"
            )
        }
        if let error = failure.error { throw error }
    }
}

/// What went wrong while the demo was set up.
private final class Failure: Sendable {
    private let stored = Mutex<(any Error)?>(nil)

    var error: (any Error)? { stored.withLock { $0 } }

    func set(_ error: any Error) { stored.withLock { $0 = error } }
}

/// Says what to try, in commands that can be pasted.
private func printGuide(folder: String, _ addresses: ContinuoServer.Addresses, token: String) {
    let data = folder.hasPrefix("/") ? folder : "$PWD/\(folder)"
    print(
        """

        Continuo runs at http://\(addresses.client)/demo/  (data: \(folder))
        Open it in a browser: Alice's and Bob's devices side by side, each with a registration of its own.
        The operator's page: http://\(addresses.operators)/#token=\(token)
        Alice's rules: business mail (alice.work@demo.example) to the laptop only; on the fixed phone no
        pictures; large things on the mobile as a notification.

        The same from terminals, from this folder:

          export XDG_DATA_HOME="\(data)" PATH="$PWD/.build/debug:$PATH"
          continuo watch --device alice-mobile          # leave it running; more terminals: alice-phone, alice-laptop

        and in a third one:

          export XDG_DATA_HOME="\(data)" PATH="$PWD/.build/debug:$PATH"
          continuo send alice@demo.example --device bob-laptop --text "Look at this" --file docs/demo/harbour.png
          continuo inbox --device alice-laptop          # the message, with its id
          continuo rules why MESSAGE-ID --device alice-laptop
          continuo read --device alice-laptop           # read here, and read on the mobile too
          continuo delete MESSAGE-ID --device alice-laptop        # gone everywhere; --here: on this device only
          continuo send alice.work@demo.example --device bob-laptop --text "The contract"   # laptop only
          continuo trace MESSAGE-ID --data \(folder)/data --url http://\(addresses.operators)

        A conversation that moves, one terminal each (/help shows what can be done in it):

          continuo chat --device bob-pda
          continuo chat --device alice-mobile
          continuo chat bob@demo.example --device alice-laptop --subject "Lunch?"
          # on the PDA: /accept     then, on the laptop: /move mobile     and go on typing on the mobile

        Passwords are '\(DemoPeople.password)'. Stop with Ctrl-C; what happened stays in \(folder).
        """
    )
    // Whoever reads it through a pipe waits for it.
    fflush(nil)
}

/// The people of the demo: made on the first run, found again on later ones.
private struct DemoPeople: Sendable {
    static let domain = "demo.example"
    static let password = "demo-password"

    let server: ContinuoServer
    let devices: String

    private static let kinds: [(account: String, name: String, label: String, kind: DeviceKind)] = [
        ("bob", "bob-laptop", "Bob's laptop", .computer),
        ("alice", "alice-mobile", "Alice's mobile", .mobile),
        ("alice", "alice-phone", "Alice's fixed phone", .fixedPhone),
        ("alice", "alice-laptop", "Alice's laptop", .computer),
        ("bob", "bob-mobile", "Bob's mobile", .mobile),
        ("bob", "bob-pda", "Bob's PDA", .pda),
    ]

    /// The devices that the demo page shows: each logs in by itself, beside those of the command line.
    private static let frames: [(account: String, name: String, label: String, kind: DeviceKind)] = [
        ("alice", "alice-mobile", "Alice's mobile", .mobile),
        ("alice", "alice-phone", "Alice's fixed phone", .fixedPhone),
        ("alice", "alice-laptop", "Alice's laptop", .computer),
        ("bob", "bob-mobile", "Bob's mobile", .mobile),
        ("bob", "bob-pda", "Bob's PDA", .pda),
        ("bob", "bob-laptop", "Bob's laptop", .computer),
    ]

    static func page() throws -> WebPages.Demo {
        WebPages.Demo(
            devices: try frames.map {
                WebPages.Demo.Device(
                    name: $0.name,
                    label: $0.label,
                    kind: $0.kind,
                    address: try Address("\($0.account)@\(domain)")
                )
            },
            password: password
        )
    }

    func settle(url: String) async throws {
        try await account("Alice", ["alice", "alice.work"])
        try await account("Bob", ["bob"])
        let place = ServerAddress(url: url)
        for one in Self.kinds where !DeviceProfile.names(in: devices).contains(one.name) {
            let address = try Address("\(one.account)@\(Self.domain)")
            let answer = try await ContinuoClient(server: place)
                .logIn(
                    address: address,
                    password: Self.password,
                    device: DeviceDescription(kind: one.kind, label: one.label)
                )
            let profile = try DeviceProfile.create(
                name: one.name,
                in: devices,
                description: DeviceProfile.Description(
                    server: place,
                    account: answer.account,
                    device: answer.device,
                    address: address,
                    label: one.label,
                    kind: one.kind
                ),
                token: answer.token
            )
            // What there is to be shown in a conversation, when the program runs beside the demo's files.
            let video = "docs/demo/harbour.webm"
            if one.name == "bob-pda", FileManager.default.fileExists(atPath: video) {
                let client = try profile.client()
                let upload = try await client.upload(file: video, type: "video/webm", name: "harbour.webm")
                _ = try await client.putFile(upload: upload.id, name: "harbour.webm")
            }
            if one.name == "alice-laptop" {
                let client = try profile.client()
                _ = try await client.putRules(try Self.aliceRules())
                _ = try await client.putSettings(AccountSettings(tellDevices: .devices))
            }
        }
    }

    private func account(_ name: String, _ locals: [String]) async throws {
        let addresses = try locals.map { try Address("\($0)@\(Self.domain)") }
        do {
            _ = try await server.service.findAccount(addresses[0].description)
        } catch let refusal as Refusal where refusal.code == .notFound {
            _ = try await server.service.createAccount(
                AccountRequest(name: name, addresses: addresses, password: Self.password, balance: 1000)
            )
        }
    }

    private static func aliceRules() throws -> RuleBook {
        var business = Conditions()
        business.to = [try Address("alice.work@\(domain)")]
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
