import ClientWire
import ContinuoClient
import Foundation
import MessagingCore
import SessionCore

/// Two providers, two people, and their devices: what the tour plays on, and what it remembers from step to step.
///
/// Alice has a laptop (a browser), a mobile (a terminal) and a fixed phone (baresip); Bob a laptop and a PDA (browsers)
/// and a mobile (a terminal). Each talks to its own provider only.
actor Stage {
    static let alice = "alice@a.example"
    static let work = "alice.work@a.example"
    static let bob = "bob@b.example"
    static let password = "tour-password"
    static let tariff = Tariff(perReceiver: 1, perMedium: 3, perRequest: 2)
    static let balance: Int64 = 500

    let folder: String
    let a: TourProvider
    let b: TourProvider
    let pictures: [String]
    private let chromium: Chromium
    private var pages: [String: Page] = [:]
    private var terminals: [String: Terminal] = [:]
    private(set) var phone: Baresip?

    /// The message of steps 1 to 15, and the conversation that goes on.
    var message: MessageID?
    var conversation: ConversationID?
    var session: SessionID?
    /// How many media Bob had paid for before the one that is proposed.
    var mediaPaid = 0

    /// Starts everything, and signs everybody in.
    init(folder: String) async throws {
        self.folder = folder
        let samples = FileManager.default.currentDirectoryPath + "/docs/demo"
        let picture = samples + "/harbour.png"
        guard FileManager.default.isReadableFile(atPath: picture) else {
            throw CommandFailure.misused("the tour shows docs/demo/harbour.png: run it from the folder of the sources")
        }
        pictures = [folder + "/harbour.png", folder + "/quay.png"]
        for one in pictures { try FileManager.default.copyItem(atPath: picture, toPath: one) }
        let ports = try FreePorts.take(10)
        let certificates = try ProviderCertificates(
            domains: ["a.example", "b.example"],
            folder: folder + "/certificates"
        )
        let (own, other) = (TourProvider.Ports(ports[..<5]), TourProvider.Ports(ports[5...]))
        a = try TourProvider("a.example", own, other: "b.example", at: other, certificates, folder: folder)
        b = try TourProvider("b.example", other, other: "a.example", at: own, certificates, folder: folder)
        let (one, two) = (a, b)
        async let both: Void = Self.start([one, two])
        chromium = try await Chromium(folder: folder)
        try await both
        await chromium.begin()
        for provider in [a, b] { try await provider.put(tariff: Self.tariff) }
        try await a.account("Alice", [Self.alice, Self.work], balance: Self.balance, password: Self.password)
        try await b.account("Bob", [Self.bob], balance: Self.balance, password: Self.password)
        try await logIn("alice-mobile", "Alice's mobile", .mobile)
        try await logIn("bob-mobile", "Bob's mobile", .mobile)
        try await settle(video: samples + "/harbour.webm")
        for (name, label, kind) in [
            ("alice-laptop", "Alice's laptop", DeviceKind.computer), ("bob-pda", "Bob's PDA", .pda),
            ("bob-laptop", "Bob's laptop", .computer),
        ] { pages[name] = try await signIn(name, label, kind) }
        for name in ["alice-mobile", "bob-mobile"] { try await watch(name) }
    }

    private static func start(_ providers: [TourProvider]) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for one in providers { group.addTask { try await one.start() } }
            try await group.waitForAll()
        }
    }

    /// Ends all programs.
    func end() async {
        for one in terminals.values { one.end() }
        phone?.end()
        await chromium.end()
        a.stop()
        b.stop()
    }

    // MARK: The cast

    func provider(of device: String) -> TourProvider { device.hasPrefix("alice") ? a : b }

    static func address(of device: String) -> String { device.hasPrefix("alice") ? alice : bob }

    private var devices: String { folder + "/continuo/devices" }

    /// Makes a device for a terminal.
    func logIn(_ name: String, _ label: String, _ kind: DeviceKind) async throws {
        let place = ServerAddress(url: provider(of: name).url)
        let address = try Address(Self.address(of: name))
        let answer = try await ContinuoClient(server: place)
            .logIn(
                address: address,
                password: Self.password,
                device: DeviceDescription(kind: kind, label: label)
            )
        let description = DeviceProfile.Description(
            server: place,
            account: answer.account,
            device: answer.device,
            address: address,
            label: label,
            kind: kind
        )
        _ = try DeviceProfile.create(name: name, in: devices, description: description, token: answer.token)
    }

    /// What a terminal's device can ask its provider.
    func client(_ device: String) throws -> ContinuoClient { try DeviceProfile(name: device, in: devices).client() }

    /// Rules, privacy, the fixed phone; and the video in Bob's area.
    private func settle(video: String) async throws {
        let alice = try client("alice-mobile")
        _ = try await alice.putRules(try Self.rules())
        _ = try await alice.putSettings(AccountSettings(tellDevices: .devices))
        let account = try await alice.addPhone(PhoneRequest(label: "Alice's fixed phone", kind: .fixedPhone))
        let phone = try Baresip(account, port: a.ports.sip, tone: 400, folder: folder)
        self.phone = phone
        _ = try await eventually("the fixed phone registers") {
            try await alice.devices().first { $0.device.kind == .fixedPhone && $0.isConnected }
        }
        let bob = try client("bob-mobile")
        let upload = try await bob.upload(file: video, type: "video/webm", name: "sydney.webm")
        _ = try await bob.putFile(upload: upload.id, name: "sydney.webm")
    }

    /// Alice's: what is for her business address goes to her computer alone, pictures are only told of on the mobile.
    private static func rules() throws -> RuleBook {
        var business = Conditions()
        business.to = [try Address(work)]
        var computer = Conditions()
        computer.deviceKinds = [.computer]
        var pictures = Conditions()
        pictures.deviceKinds = [.mobile]
        pictures.media = [try MediaPattern("image/*")]
        var book = RuleBook()
        book.revision = 0
        book.incoming.rules = [
            Rule(name: "business", when: business, unless: computer, then: Outcome(.nothing)),
            Rule(name: "pictures", when: pictures, then: Outcome(.notification)),
        ]
        return book
    }

    /// A page becomes a device, as a person does it.
    private func signIn(_ name: String, _ label: String, _ kind: DeviceKind) async throws -> Page {
        let page = try await chromium.page(label, downloads: folder + "/downloads-\(name)")
        try await page.open("\(provider(of: name).url)/d/\(name)/")
        try await page.until("the form to sign in", "tour.shows('form', 'Sign in')")
        let fields = [
            ("Address", Self.address(of: name)), ("Password", Self.password), ("Name of this device", label),
            ("Kind of device", kind.rawValue),
        ]
        for (field, value) in fields {
            try await page.until(field, "tour.fill(\(quoted(field)), \(quoted(value)))")
        }
        try await page.until("signing in", "tour.press('Sign in')")
        try await page.until("its messages", "tour.shows('nav a')")
        return page
    }

    /// What the pages tell people that went wrong.
    func complaints() async -> String {
        var all: [String] = []
        for (name, page) in pages.sorted(by: { $0.key < $1.key }) {
            let texts =
                (try? await page.run("tour.texts('.problem, .banner').filter((one) => one !== '')"))?.strings ?? []
            all += texts.map { "\(name): \($0)" }
        }
        return all.isEmpty ? "" : " (" + all.joined(separator: "; ") + ")"
    }

    func page(_ name: String) throws -> Page {
        guard let page = pages[name] else { throw TourFailure("there is no page of \(name)") }
        return page
    }

    /// What Alice's fixed phone shows.
    var phoneShows: String { phone?.shows ?? "" }

    func unplugPhone() { phone?.end() }

    // MARK: Terminals

    /// A device that follows its mailbox; it does one thing at a time.
    @discardableResult
    func watch(_ device: String) async throws -> Terminal { try await terminal(device, ["watch"], "up-to-date") }

    /// A device that talks live.
    @discardableResult
    func chat(_ device: String) async throws -> Terminal { try await terminal(device, ["chat"], "ready") }

    private func terminal(_ device: String, _ command: [String], _ sign: String) async throws -> Terminal {
        terminals.removeValue(forKey: device)?.end()
        let terminal = try Terminal(command, device: device, home: folder)
        terminals[device] = terminal
        try await terminal.hear(sign, "begins")
        return terminal
    }

    func terminal(_ device: String) throws -> Terminal {
        guard let terminal = terminals[device] else { throw TourFailure("\(device) is off") }
        return terminal
    }

    /// A device is switched off.
    func switchOff(_ device: String) { terminals.removeValue(forKey: device)?.end() }

    /// Runs a command of the program to its end.
    @discardableResult
    func run(_ arguments: String...) async throws -> (status: Int32, text: String) {
        let output = "\(folder)/run-\(UUID().uuidString)"
        let program = try Companion(
            TourProvider.program,
            arguments,
            environment: ["XDG_DATA_HOME": folder],
            output: output
        )
        let status = await program.wait()
        return (status, program.text)
    }
}
