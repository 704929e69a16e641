public import MessagingCore

/// What a device writes on its socket: one of these a text frame.
///
/// The first is `hello`; then acknowledgements, and commands that carry a `ref` which their answer repeats.
public struct ClientFrame: Sendable, Codable {
    /// Opens the stream.
    public struct Hello: Hashable, Sendable, Codable {
        public var token: String
        /// Where the device stands; absent for a device that has nothing yet.
        public var cursor: Cursor?

        /// A greeting.
        public init(token: String, cursor: Cursor?) {
            self.token = token
            self.cursor = cursor
        }
    }

    public var hello: Hello?
    /// Everything changed at or below this number is safely stored on the device.
    public var ack: ChangeNumber?
    /// With `ack`: the newest `level` mark that was stored.
    public var level: ChangeNumber?
    public var ref: Int?
    public var send: SendRequest?
    public var read: ReadRequest?
    public var delete: DeleteRequest?
    public var fetch: MessageID?
    /// Hints: they carry no `ref` and are not answered.
    public var typing: TypingHint?
    public var signal: MediaSignal?

    /// An empty frame, to be filled with one thing.
    public init() {}

    private enum CodingKeys: String, CodingKey {
        case hello, ack, level, ref, send, read, delete, fetch, typing, signal
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: AnyKey.self)
        // Later devices may say more.
        for field in values.allKeys {
            switch CodingKeys(stringValue: field.stringValue) {
            case .hello: hello = try values.decodeIfPresent(Hello.self, forKey: field)
            case .ack: ack = try values.decodeIfPresent(ChangeNumber.self, forKey: field)
            case .level: level = try values.decodeIfPresent(ChangeNumber.self, forKey: field)
            case .ref: ref = try values.decodeIfPresent(Int.self, forKey: field)
            case .send: send = try values.decodeIfPresent(SendRequest.self, forKey: field)
            case .read: read = try values.decodeIfPresent(ReadRequest.self, forKey: field)
            case .delete: delete = try values.decodeIfPresent(DeleteRequest.self, forKey: field)
            case .fetch: fetch = try values.decodeIfPresent(MessageID.self, forKey: field)
            case .typing: typing = try values.decodeIfPresent(TypingHint.self, forKey: field)
            case .signal: signal = try values.decodeIfPresent(MediaSignal.self, forKey: field)
            case nil: continue
            }
        }
    }
}

/// What the server writes on a socket: one of these a text frame.
///
/// The server assembles the frequent ones from parts that are encoded already; this is their exact shape.
public struct ServerFrame: Sendable, Codable {
    /// The answer to `hello`.
    public struct Welcome: Hashable, Sendable, Codable {
        public var account: AccountID
        public var device: DeviceID
        public var epoch: Epoch
        public var head: ChangeNumber
        /// The server's clock: ids are to be made on it.
        public var now: Timestamp
        /// At most so many changes, or so many bytes, are sent ahead of their acknowledgement.
        public var windowItems: Int
        public var windowBytes: Int
        /// The registration must be renewed by any frame within this time.
        public var leaseMilliseconds: Int64

        /// A welcome.
        public init(
            account: AccountID,
            device: DeviceID,
            epoch: Epoch,
            head: ChangeNumber,
            now: Timestamp,
            windowItems: Int,
            windowBytes: Int,
            leaseMilliseconds: Int64
        ) {
            self.account = account
            self.device = device
            self.epoch = epoch
            self.head = head
            self.now = now
            self.windowItems = windowItems
            self.windowBytes = windowBytes
            self.leaseMilliseconds = leaseMilliseconds
        }
    }

    /// State first: what died or was read among the items the device knows, before any content. By `created` number.
    public struct Digest: Hashable, Sendable, Codable {
        public var asOf: ChangeNumber
        /// Messages not read yet; 100 stands for more too.
        public var unread: Int
        public var gone: [ChangeNumber]
        public var read: [ChangeNumber]
        public var last: Bool

        /// One page of a digest.
        public init(asOf: ChangeNumber, unread: Int, gone: [ChangeNumber], read: [ChangeNumber], last: Bool) {
            self.asOf = asOf
            self.unread = unread
            self.gone = gone
            self.read = read
            self.last = last
        }
    }

    /// A listing from scratch, newest first; with the last page the device drops what was not listed.
    public struct Reset: Sendable, Codable {
        public var reason: CatchUp.ResetReason
        public var epoch: Epoch
        /// The cursor's number after the last page.
        public var asOf: ChangeNumber
        public var unread: Int
        public var items: [ItemDocument]
        public var last: Bool
    }

    public var welcome: Welcome?
    public var digest: Digest?
    public var reset: Reset?
    public var changes: [ItemDocument]?
    /// With `changes`: everything changed at or below it has now been sent.
    public var upTo: ChangeNumber?
    /// The device has everything as of this number.
    public var level: ChangeNumber?
    public var ref: Int?
    public var sent: SendAnswer?
    public var done: CountAnswer?
    public var item: ItemDocument?
    public var problem: Problem?
    public var typing: TypingHint?
    public var signal: MediaSignal?

    /// An empty frame, to be filled with one thing.
    public init() {}
}

/// An error as problem details (RFC 9457) with a stable `code`.
public struct Problem: Error, Hashable, Sendable, Codable {
    /// Names the kind of problem: `urn:continuo:problem:` and the code.
    public var type: String
    public var title: String
    public var status: Int
    public var code: Refusal.Code
    public var detail: String

    /// A problem from a refusal and the status the gateway gives it.
    public init(_ refusal: Refusal, status: Int, title: String) {
        type = "urn:continuo:problem:\(refusal.code.rawValue)"
        self.title = title
        self.status = status
        code = refusal.code
        detail = refusal.detail
    }
}

/// Codes with which the server closes a socket (RFC 6455, section 7.4.2).
public enum CloseCode {
    /// The token is wrong, or the device was revoked.
    public static let unauthenticated: UInt16 = 4401
    /// The account is suspended: what the device has stays its own, and it may come again.
    public static let suspended: UInt16 = 4403
    /// A second connection of the same device took over.
    public static let replaced: UInt16 = 4409
    /// A frame that cannot be understood, or in the wrong place.
    public static let badFrame: UInt16 = 4400
    /// The device does not keep up even so slowly.
    public static let tooSlow: UInt16 = 4408
    /// The server is shutting down: come again.
    public static let goingAway: UInt16 = 1001
}
