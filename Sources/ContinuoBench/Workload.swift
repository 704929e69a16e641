import ClientWire
import Foundation
import MessagingCore
import NIOCore
import NIOPosix
import NIOSSL

/// Accounts with devices on a server under test.
struct Workload {
    /// A user with the tokens of their devices.
    struct User {
        let address: String
        let tokens: [String]
    }

    static let password = "correct-horse-battery-staple"

    let server: ServerUnderTest
    let tls: NIOSSLContext?
    let loop: any EventLoop
    let counters = LoadDevice.Counters()

    init(_ server: ServerUnderTest) throws {
        self.server = server
        loop = MultiThreadedEventLoopGroup.singleton.any()
        guard server.usesTLS else {
            tls = nil
            return
        }
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        tls = try NIOSSLContext(configuration: configuration)
    }

    /// Makes users with devices and five rules each, none of which takes anything away.
    func makeUsers(_ count: Int, devices: Int, prefix: String) async throws -> [User] {
        let operators = HTTP(base: "http://127.0.0.1:\(server.operatorPort)", token: server.token)
        let scheme = server.usesTLS ? "https" : "http"
        let kinds: [DeviceKind] = [.mobile, .fixedPhone, .computer]
        var users: [User] = []
        for index in 0..<count {
            let address = try Address("\(prefix)\(index)@\(server.domain)")
            _ = try await operators.call(
                "POST",
                "/operator/accounts",
                AccountRequest(name: "\(prefix)\(index)", addresses: [address], password: Self.password),
                as: AccountDocument.self
            )
            var tokens: [String] = []
            for device in 0..<devices {
                let login = LoginRequest(
                    address: address,
                    password: Self.password,
                    device: DeviceDescription(kind: kinds[device % kinds.count], label: "device \(device)")
                )
                let answer = try await HTTP(base: "\(scheme)://127.0.0.1:\(server.clientPort)", token: nil)
                    .call("POST", "/v1/login", login, as: LoginAnswer.self)
                tokens.append(answer.token)
            }
            let own = HTTP(base: "\(scheme)://127.0.0.1:\(server.clientPort)", token: tokens[0])
            _ = try await own.call("PUT", "/v1/rules", try Self.fiveRules(), as: RuleBook.self)
            users.append(User(address: address.description, tokens: tokens))
        }
        return users
    }

    /// Rules of several kinds that are all looked at and do not match.
    private static func fiveRules() throws -> RuleBook {
        var book = RuleBook()
        var sender = Conditions()
        sender.from = [try Address("nobody@elsewhere.example")]
        var domain = Conditions()
        domain.fromDomains = ["elsewhere.example"]
        var large = Conditions()
        large.atLeastBytes = 10 << 20
        var list = Conditions()
        list.fromLists = ["newsletters"]
        var away = Conditions()
        away.availability = [.doNotDisturb]
        for (name, when) in [("sender", sender), ("domain", domain), ("large", large), ("list", list), ("away", away)] {
            book.incoming.rules.append(Rule(name: name, when: when, then: Outcome(.nothing)))
        }
        return book
    }

    func connect(_ token: String, cursor: String? = nil) async throws -> LoadDevice {
        try await LoadDevice.connect(
            port: server.clientPort,
            tls: tls,
            loop: loop,
            token: token,
            cursor: cursor,
            counters: counters
        )
    }

    func onLoop<T: Sendable>(_ body: @escaping @Sendable () -> T) async throws -> T {
        try await loop.submit(body).get()
    }

    /// Waits until nothing has been delivered for a while.
    func settle(quiet: Duration = .seconds(1)) async throws {
        let counters = counters
        var before = -1
        while true {
            let now = try await onLoop { counters.delivered + counters.answered }
            if now == before { return }
            before = now
            try await Task.sleep(for: quiet)
        }
    }
}

/// Bodies of text messages, each with an id of its own.
struct MessageMaker: Sendable {
    let receivers: [String]
    let textBytes: Int
    let reports: Bool
    /// The live conversation that the messages are texts of; then there are no receivers.
    var session: String?

    /// A send request as JSON. The id is a UUID of version 7 (RFC 9562, section 5.7).
    func body() -> String {
        let id = Self.newID()
        let text = Self.text(textBytes)
        if let session { return "{\"id\":\"\(id)\",\"session\":\"\(session)\",\"parts\":[{\"text\":\"\(text)\"}]}" }
        let to = receivers.map { "\"\($0)\"" }.joined(separator: ",")
        let wanted = reports ? ",\"reports\":[\"delivered\",\"displayed\"]" : ",\"reports\":[]"
        return "{\"id\":\"\(id)\",\"to\":[\(to)],\"parts\":[{\"text\":\"\(text)\"}]\(wanted)}"
    }

    /// Words of everyday.
    static func text(_ bytes: Int) -> String {
        let words = ["hello", "tomorrow", "lunch", "window", "river", "paper", "twelve", "garden", "coffee", "bridge"]
        var text = ""
        while text.utf8.count < bytes { text += (words.randomElement() ?? "") + " " }
        return String(text.prefix(bytes))
    }

    /// A UUID of version 7.
    static func newID() -> String {
        let time = UInt64(Date().timeIntervalSince1970 * 1000)
        let high = time << 16 | 0x7000 | UInt64.random(in: 0...0xFFF)
        let low = 0x8000_0000_0000_0000 | UInt64.random(in: 0...0x3FFF_FFFF_FFFF_FFFF)
        let digits = Self.hexadecimal(high) + Self.hexadecimal(low)
        var id = ""
        for (index, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(index) { id.append("-") }
            id.append(digit)
        }
        return id
    }

    private static func hexadecimal(_ value: UInt64) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }
}
