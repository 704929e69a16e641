/// What a decoder made of its input.
public struct Decoding: Sendable, Equatable {
    /// Whether the input is a good message.
    public enum Verdict: String, Sendable, Hashable {
        /// It is.
        case ok
        /// It is the beginning of one: more octets are needed.
        case incomplete
        /// It is not.
        case rejected
    }

    /// Why the input is not a good message.
    public struct Failure: Sendable, Equatable {
        /// The stable code of the library's error.
        public var code: String
        /// The octet where it was seen, when that is known.
        public var offset: Int?
        /// What was expected there.
        public var expected: String

        /// Makes a failure.
        public init(code: String, offset: Int?, expected: String) {
            self.code = code
            self.offset = offset
            self.expected = expected
        }
    }

    /// Whether the input is a good message.
    public var verdict: Verdict
    /// Why it is not.
    public var failure: Failure?
    /// What is in it, by the names that `docs/libraries/decode.md` lists.
    public var fields: [JSONValue.Member]

    /// A good message.
    public static func ok(_ fields: [JSONValue.Member]) -> Decoding {
        Decoding(verdict: .ok, failure: nil, fields: fields)
    }

    /// No good message.
    public static func rejected(_ failure: Failure) -> Decoding {
        Decoding(verdict: .rejected, failure: failure, fields: [])
    }

    /// Makes a decoding.
    public init(verdict: Verdict, failure: Failure?, fields: [JSONValue.Member]) {
        self.verdict = verdict
        self.failure = failure
        self.fields = fields
    }
}

/// Decodes one protocol for people and tests; the seam where a protocol joins a ``DecoderRegistry``.
public protocol ProtocolDecoder: Sendable {
    /// The name by which it is asked for, such as `sdp`.
    var name: String { get }

    /// Tells from the look of the input whether it is of this protocol.
    func resembles(_ bytes: [UInt8]) -> Bool

    /// Decodes the input; never fails otherwise than by its verdict.
    func decode(_ bytes: [UInt8]) -> Decoding

    /// The messages that a stretch of a stream holds, in order, the last of them perhaps cut.
    ///
    /// One message fills the stretch unless a protocol has framing of its own.
    func messages(in stream: [UInt8]) -> [[UInt8]]
}

extension ProtocolDecoder {
    /// The whole stretch as one message.
    public func messages(in stream: [UInt8]) -> [[UInt8]] { [stream] }
}
