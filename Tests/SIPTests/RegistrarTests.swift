import NIOCore
import Testing

@testable import SIP

@Suite("Registrar and registration client")
struct RegistrarTests {
    static let aor = SIPURI(user: "bob", host: "example.com")
    static let now = NIODeadline.uptimeNanoseconds(1_000_000_000)

    static func register(
        _ number: Int,
        _ contacts: [String],
        extra: String = "",
        callID: String = "r1"
    ) throws -> SIPMessage {
        let lines = contacts.map { "Contact: \($0)\r\n" }.joined()
        return try SIPMessage(
            "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/TCP pc.example.com;branch=z9hG4bKr\(number)\r\n"
                + "From: <sip:bob@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: \(callID)\r\n"
                + "CSeq: \(number) REGISTER\r\n\(lines)\(extra)Content-Length: 0\r\n\r\n"
        )
    }

    static func run(
        _ record: inout RegistrarRecord,
        _ request: SIPMessage,
        at now: NIODeadline = Self.now,
        flow: String? = nil
    ) -> (SIPStatus?, SIPMessage) {
        switch record.register(request, policy: .init(), arrival: .init(now: now, flow: flow, temporaryGRUU: "tgruu")) {
        case .accepted(let response, _), .rejected(let response): (response.status, response)
        }
    }

    @Test("Bindings are added, refreshed, listed and removed; the order of requests counts")
    func life() throws {
        var record = RegistrarRecord(addressOfRecord: Self.aor)
        #expect(
            Self.run(
                &record,
                try Self.register(1, ["<sip:bob@pc1>;q=0.5", "<sip:bob@pc2>"], extra: "Expires: 600\r\n")
            ).0 == 200
        )
        #expect(record.bindings.count == 2)
        #expect(
            record.targets(for: Self.aor, now: Self.now).map(\.contact.uri.description) == [
                "sip:bob@pc2", "sip:bob@pc1",
            ]
        )
        #expect(Self.run(&record, try Self.register(1, ["<sip:bob@pc1>"])).0 == 500)
        #expect(Self.run(&record, try Self.register(2, ["<sip:bob@PC1>;expires=0"])).0 == 200)
        #expect(record.bindings.map(\.contact.uri.description) == ["sip:bob@pc2"])
        let (_, fetched) = Self.run(&record, try Self.register(3, []), at: Self.now + .seconds(100))
        #expect(try fetched.contacts().addresses.map { $0.parameters["expires"] } == ["500"])
        #expect(Self.run(&record, try Self.register(4, ["<sip:bob@pc3>;expires=5"])).0 == 423)
        #expect(Self.run(&record, try Self.register(5, ["*"])).0 == 400)
        #expect(Self.run(&record, try Self.register(6, ["*"], extra: "Expires: 0\r\n")).0 == 200)
        #expect(record.bindings.isEmpty)
    }

    @Test("The path of the request and the service route of the registrar go into the answer, in their order")
    func routes() throws {
        var record = RegistrarRecord(addressOfRecord: Self.aor)
        var policy = RegistrarRecord.Policy()
        policy.serviceRoute = [
            NameAddress(try URI("sip:p2.example.com;lr")), NameAddress(try URI("sip:home.example.com;lr")),
        ]
        let request = try Self.register(
            1,
            ["<sip:bob@pc1>"],
            extra: "Supported: path\r\nPath: <sip:p1.example.com;lr>, <sip:p0.example.com;lr>\r\n"
        )
        guard case .accepted(let response, _) = record.register(request, policy: policy, arrival: .init(now: Self.now))
        else {
            Issue.record("refused")
            return
        }
        func uris(_ name: HeaderName) throws -> [String] {
            try response.list(name, as: NameAddress.self).map(\.uri.description)
        }
        #expect(try uris(.serviceRoute) == ["sip:p2.example.com;lr", "sip:home.example.com;lr"])
        #expect(try uris(.path) == ["sip:p1.example.com;lr", "sip:p0.example.com;lr"])
        let target = try #require(record.targets(for: Self.aor, now: Self.now).first)
        #expect(target.path.map(\.uri.description) == ["sip:p1.example.com;lr", "sip:p0.example.com;lr"])
    }

    @Test("Leases run out")
    func expiry() throws {
        var record = RegistrarRecord(addressOfRecord: Self.aor)
        _ = Self.run(&record, try Self.register(1, ["<sip:bob@pc1>;expires=60"]))
        #expect(record.deadline == Self.now + .seconds(60))
        #expect(record.expire(now: Self.now + .seconds(59)).isEmpty)
        #expect(record.targets(for: Self.aor, now: Self.now + .seconds(60)).isEmpty)
        #expect(record.expire(now: Self.now + .seconds(60)).count == 1)
    }

    static let instance = "+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000a95a0e128>\""

    @Test("Outbound: one binding for each flow of an instance, the newest first, the others behind it")
    func outbound() throws {
        var record = RegistrarRecord(addressOfRecord: Self.aor)
        let supported = "Supported: path, outbound, gruu\r\n"
        func contact(_ host: String, _ id: Int) -> String { "<sip:bob@\(host)>;reg-id=\(id);\(Self.instance)" }
        let (status, response) = Self.run(
            &record,
            try Self.register(1, [contact("x1", 1)], extra: supported),
            flow: "f1"
        )
        #expect(status == 200)
        #expect(response.hasOption("outbound", in: .require))
        #expect(response.text(.flowTimer) == "120")
        let parameters = try #require(try response.contacts().addresses.first?.parameters)
        #expect(parameters["pub-gruu"] == "sip:bob@example.com;gr=urn:uuid:00000000-0000-1000-8000-000a95a0e128")
        #expect(parameters["temp-gruu"] == "sip:tgruu@example.com;gr")
        _ = Self.run(&record, try Self.register(1, [contact("x2", 2)], extra: supported, callID: "r2"), flow: "f2")
        #expect(record.bindings.count == 2)
        _ = Self.run(&record, try Self.register(2, [contact("x3", 1)], extra: supported), flow: "f3")
        #expect(record.bindings.count == 2, "the same reg-id replaces")
        let targets = record.targets(for: Self.aor, now: Self.now)
        #expect(targets.map(\.contact.uri.description) == ["sip:bob@x3"])
        #expect(
            record.alternatives(to: try #require(targets.first), now: Self.now).map(\.contact.uri.description) == [
                "sip:bob@x2"
            ]
        )
        let gruu = try #require(try URI("sip:bob@example.com;gr=urn:uuid:00000000-0000-1000-8000-000a95a0e128").sip)
        #expect(record.targets(for: gruu, now: Self.now).count == 1)
        let other = try #require(try URI("sip:bob@example.com;gr=urn:uuid:11111111").sip)
        #expect(record.targets(for: other, now: Self.now).isEmpty)
        let hidden = try #require(try URI("sip:tgruu@example.com;gr").sip)
        #expect(record.targets(for: hidden, now: Self.now).count == 1)
        #expect(record.flowFailed("f3").count == 1)
        #expect(record.targets(for: Self.aor, now: Self.now).map(\.contact.uri.description) == ["sip:bob@x2"])
    }

    @Test("A first hop that does not do outbound is answered 439; its Path with ob is fine")
    func firstHop() throws {
        let contact = "<sip:bob@x>;reg-id=1;\(Self.instance)"
        let via = "Via: SIP/2.0/UDP edge.example.com;branch=z9hG4bKe\r\nSupported: outbound, path\r\n"
        var record = RegistrarRecord(addressOfRecord: Self.aor)
        #expect(Self.run(&record, try Self.register(1, [contact], extra: via)).0 == 439)
        let path = via + "Path: <sip:edge.example.com;lr;ob>\r\n"
        let (status, response) = Self.run(&record, try Self.register(2, [contact], extra: path))
        #expect(status == 200)
        #expect(response.text(.path) == "<sip:edge.example.com;lr;ob>")
        #expect(record.bindings.first?.path.count == 1)
    }

    @Test("The number of bindings is bounded")
    func bound() throws {
        var record = RegistrarRecord(addressOfRecord: Self.aor)
        let contacts = (0..<65).map { "<sip:bob@pc\($0)>" }
        #expect(Self.run(&record, try Self.register(1, contacts)).0 == 403)
        #expect(record.bindings.isEmpty, "nothing of a refused request stays")
    }

    enum ClientInput: CaseIterable {
        case start
        case stop
        case success
        case tooBrief
        case unavailable
        case forbidden
        case flowFailed
        case time
    }

    @Test("Registration client, state by input")
    func client() {
        typealias Machine = RegistrationClient
        let refresh = Self.now + .seconds(3540)
        let registered = Machine.State.registered(refresh: refresh)
        let waiting = Machine.State.waiting(until: Self.now + .seconds(30))
        let retry = Machine.State.waiting(until: Self.now + .seconds(20))
        let table: [(Machine.State, [ClientInput: (Machine.Action, Machine.State)])] = [
            (
                .idle,
                [
                    .start: (.register(expires: 3600), .registering(isRefresh: false)), .stop: (.none, .idle),
                    .success: (.none, .idle), .tooBrief: (.none, .idle), .unavailable: (.none, .idle),
                    .forbidden: (.none, .idle), .flowFailed: (.none, .idle), .time: (.none, .idle),
                ]
            ),
            (
                .registering(isRefresh: false),
                [
                    .start: (.none, .registering(isRefresh: false)), .stop: (.register(expires: 0), .unregistering),
                    .success: (.registered(seconds: 3600), registered),
                    .tooBrief: (.register(expires: 7200), .registering(isRefresh: false)),
                    .unavailable: (.failed(503), retry), .forbidden: (.refused(403), .refused(403)),
                    .flowFailed: (.failed(503), .waiting(until: Self.now + .milliseconds(30_000))),
                    .time: (.none, .registering(isRefresh: false)),
                ]
            ),
            (
                registered,
                [
                    .start: (.none, registered), .stop: (.register(expires: 0), .unregistering),
                    .success: (.none, registered),
                    .tooBrief: (.none, registered), .unavailable: (.none, registered), .forbidden: (.none, registered),
                    .flowFailed: (.register(expires: 3600), .registering(isRefresh: false)),
                    .time: (.register(expires: 3600), .registering(isRefresh: true)),
                ]
            ),
            (
                waiting,
                [
                    .start: (.register(expires: 3600), .registering(isRefresh: false)), .stop: (.unregistered, .idle),
                    .success: (.none, waiting), .tooBrief: (.none, waiting), .unavailable: (.none, waiting),
                    .forbidden: (.none, waiting), .flowFailed: (.none, waiting),
                    .time: (.register(expires: 3600), .registering(isRefresh: false)),
                ]
            ),
            (
                .unregistering,
                [
                    .start: (.none, .unregistering), .stop: (.none, .unregistering), .success: (.unregistered, .idle),
                    .tooBrief: (.unregistered, .idle), .unavailable: (.unregistered, .idle),
                    .forbidden: (.unregistered, .idle), .flowFailed: (.unregistered, .idle),
                    .time: (.none, .unregistering),
                ]
            ),
            (
                .refused(403),
                [
                    .start: (.register(expires: 3600), .registering(isRefresh: false)), .stop: (.none, .refused(403)),
                    .success: (.none, .refused(403)), .tooBrief: (.none, .refused(403)),
                    .unavailable: (.none, .refused(403)), .forbidden: (.none, .refused(403)),
                    .flowFailed: (.none, .refused(403)), .time: (.none, .refused(403)),
                ]
            ),
        ]
        for (state, row) in table {
            for input in ClientInput.allCases {
                var machine = Machine(state: state, expires: 3600, failures: 0)
                let action: Machine.Action =
                    switch input {
                    case .start: machine.start()
                    case .stop: machine.stop()
                    case .success: machine.received(200, granted: 3600, now: Self.now, random: 0)
                    case .tooBrief: machine.received(423, minimum: 7200, now: Self.now, random: 0)
                    case .unavailable: machine.received(503, retryAfter: 20, now: Self.now, random: 0)
                    case .forbidden: machine.received(403, now: Self.now, random: 0)
                    case .flowFailed: machine.flowFailed(now: Self.now, random: 0)
                    case .time: machine.timeReached(Self.now + .seconds(4000))
                    }
                #expect(row[input]?.0 == action, "\(state) \(input)")
                #expect(row[input]?.1 == machine.state, "\(state) \(input)")
            }
        }
        #expect(RegistrationClient.backOffMilliseconds(failures: 100, random: .max) <= 1_800_000)
    }
}
