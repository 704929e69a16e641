public import ClientWire
import FoundationEssentials
public import MessagingCore
import NIOHTTP1
import Synchronization

/// One device's way to its server: every command of the client contract, with typed answers and errors.
///
/// Calls throw ``ClientError``. A call that got no answer may be repeated; sending is safe to repeat as its id stays.
public final class ContinuoClient: Sendable {
    public let server: ServerAddress
    /// What the device proves itself with; nil before it has logged in.
    public let token: String?
    let http: HTTPCaller
    private let clock = Mutex<Duration?>(nil)

    /// A client for a device that has logged in, or for one that is about to.
    /// - Throws: ``ClientError`` when the file of authorities cannot be read.
    public init(server: ServerAddress, token: String? = nil) throws {
        self.server = server
        self.token = token
        http = try HTTPCaller(server, token: token)
    }

    // MARK: Session

    /// Registers a new device. Keep the token of the answer: it is shown once.
    public func logIn(address: Address, password: String, device: DeviceDescription) async throws -> LoginAnswer {
        let request = LoginRequest(address: address, password: password, device: device)
        return try await http.send(.POST, "/v1/login", request, as: LoginAnswer.self)
    }

    /// Revokes this device.
    public func logOut() async throws { try await http.call(.POST, "/v1/logout") }

    /// The server's clock now. It is asked once; a local clock that is wrong does no harm.
    public func serverTime() async throws -> Timestamp {
        let local = Duration.milliseconds(Int64(Date().timeIntervalSince1970 * 1000))
        if let offset = clock.withLock({ $0 }) {
            return Timestamp(rawValue: Int64((local + offset) / .milliseconds(1)))
        }
        let answer = try await http.get("/v1/time", as: TimeAnswer.self)
        clock.withLock { $0 = .milliseconds(answer.now.rawValue) - local }
        return answer.now
    }

    private struct TimeAnswer: Decodable { var now: Timestamp }

    // MARK: Messages

    /// A new message id: a UUID of version 7 on the server's clock.
    public func newMessageID() async throws -> MessageID { .unique(at: try await serverTime()) }

    /// Sends once.
    public func send(_ request: SendRequest) async throws -> SendAnswer {
        try await http.send(.POST, "/v1/messages", request, as: SendAnswer.self)
    }

    /// Sends, and repeats while no answer comes: the id makes sure that it is one message.
    public func send(_ request: SendRequest, attempts: Int, backoff: Backoff = Backoff()) async throws -> SendAnswer {
        var backoff = backoff
        var left = attempts
        while true {
            do {
                return try await send(request)
            } catch let error as ClientError where error.isTemporary && left > 1 {
                left -= 1
                try await Task.sleep(for: backoff.next(random: .random(in: 0..<1)))
            }
        }
    }

    /// A page of messages, newest first.
    public func messages(
        box: String? = nil,
        conversation: ConversationID? = nil,
        unreadOnly: Bool = false,
        before: ChangeNumber? = nil,
        limit: Int? = nil
    ) async throws -> ItemPage {
        var query = Query()
        query.add("box", box)
        query.add("conversation", conversation?.description)
        if unreadOnly { query.add("unread", "true") }
        query.add(before: before, limit: limit)
        return try await http.get("/v1/messages\(query)", as: ItemPage.self)
    }

    /// A message as this device gets it.
    public func message(_ id: MessageID) async throws -> ItemDocument {
        try await http.get("/v1/messages/\(escaped(id.description))", as: ItemDocument.self)
    }

    /// Gets a message whole on this device, whatever the rules gave it.
    public func fetch(_ id: MessageID) async throws -> ItemDocument {
        try await http.send(.POST, "/v1/messages/\(escaped(id.description))/fetch", Nothing(), as: ItemDocument.self)
    }

    /// What each device got of a message, and why.
    public func decisions(_ id: MessageID) async throws -> ExplanationDocument {
        try await http.get("/v1/messages/\(escaped(id.description))/decisions", as: ExplanationDocument.self)
    }

    /// Marks messages as read, on all devices.
    public func markRead(_ request: ReadRequest) async throws -> CountAnswer {
        try await http.send(.POST, "/v1/messages/read", request, as: CountAnswer.self)
    }

    /// Deletes messages, everywhere or here.
    public func delete(_ ids: [MessageID], _ scope: DeleteRequest.Scope) async throws -> CountAnswer {
        let request = DeleteRequest(ids: ids, scope: scope)
        return try await http.send(.POST, "/v1/messages/delete", request, as: CountAnswer.self)
    }

    /// A page of conversations by their newest message.
    public func conversations(before: ChangeNumber? = nil, limit: Int? = nil) async throws -> ConversationPage {
        var query = Query()
        query.add(before: before, limit: limit)
        return try await http.get("/v1/conversations\(query)", as: ConversationPage.self)
    }

    /// Messages that hold every word, newest first.
    public func search(_ words: String, before: ChangeNumber? = nil, limit: Int? = nil) async throws -> ItemPage {
        var query = Query()
        query.add("q", words)
        query.add(before: before, limit: limit)
        return try await http.get("/v1/search\(query)", as: ItemPage.self)
    }

    struct Nothing: Encodable, Sendable {}
}

/// A query string in the making.
struct Query: CustomStringConvertible {
    private var pairs: [String] = []

    mutating func add(_ name: String, _ value: String?) {
        if let value { pairs.append("\(name)=\(escaped(value))") }
    }

    mutating func add(before: Int64?, limit: Int?) {
        add("before", before.map { "\($0)" })
        add("limit", limit.map { "\($0)" })
    }

    var description: String { pairs.isEmpty ? "" : "?" + pairs.joined(separator: "&") }
}

extension MessageID {
    /// A UUID of version 7 (RFC 9562, section 5.7) with this time.
    public static func unique(at time: Timestamp) -> MessageID {
        let high = UInt64(truncatingIfNeeded: time.rawValue) << 16 | 0x7000 | UInt64.random(in: 0...0xFFF)
        let low = 0x8000_0000_0000_0000 | UInt64.random(in: 0...0x3FFF_FFFF_FFFF_FFFF)
        var text = ""
        for (index, word) in [high, low].enumerated() {
            let digits = String(word, radix: 16)
            let padded = String(repeating: "0", count: 16 - digits.count) + digits
            let cuts = index == 0 ? [8, 12] : [0, 4]
            for (place, digit) in padded.enumerated() {
                if cuts.contains(place) { text.append("-") }
                text.append(digit)
            }
        }
        return MessageID(stored: text)
    }
}
