import DequeModule
import NIOCore

/// What is said about a message in each of its chunks.
public struct MessageHeader: Sendable, Hashable {
    /// The id; the same in every chunk.
    public var id: MessageID
    /// The type of the content.
    public var contentType: String
    /// The octets of the content; none when that is not known beforehand.
    public var size: UInt64?
    /// Whether the receiver is asked to report that the whole message has arrived.
    public var wantsSuccessReport: Bool
    /// When failures are to be heard of.
    public var failureReport: FailureReport

    /// Makes a header.
    public init(
        id: MessageID,
        contentType: String,
        size: UInt64?,
        wantsSuccessReport: Bool = false,
        failureReport: FailureReport = .yes
    ) {
        self.id = id
        self.contentType = contentType
        self.size = size
        self.wantsSuccessReport = wantsSuccessReport
        self.failureReport = failureReport
    }
}

/// One message on its way out: what of its content waits, what is under way, what is answered.
///
/// ```
///            supply            finish                 last chunk             last answer
///   open ------------> open ----------> supplied ----------------> sent ----------------> answered
///     |                  |                  |  ^                     |
///     | abort            +--- abort --------+  +------ rewind -------+
///     v                             v
///   (nothing was sent: gone)     aborting ---- the # chunk ----> gone
/// ```
struct OutgoingMessage: Sendable {
    /// Content at its place in the message.
    struct Piece: Sendable, Hashable {
        var offset: UInt64
        var bytes: ByteBuffer
        var end: UInt64 { self.offset + UInt64(self.bytes.readableBytes) }
    }

    /// A chunk before it has a transaction id.
    struct Cut: Sendable, Hashable {
        var piece: Piece
        var flag: Continuation
    }

    /// What waits to be sent and how much was handed over so far.
    private struct Content {
        var unsent: Deque<Piece> = []
        var unsentBytes = 0
        var suppliedBytes: UInt64 = 0
        var sentAny = false
        var isFinalSent = false
        var unanswered = 0
    }

    private enum State {
        case open(Content)
        case supplied(Content)
        case sent(Content)
        case answered(size: UInt64)
        case aborting(offset: UInt64)
        case gone
    }

    /// The names of the states, for tests.
    enum Phase: Equatable, CaseIterable {
        case open
        case supplied
        case sent
        case answered
        case aborting
        case gone
    }

    enum OnAnswer: Equatable {
        case progress
        case allAnswered
        case ignore
    }

    enum OnAbort: Equatable {
        /// A last chunk has to say that the message is given up.
        case sendAbort
        /// The peer has heard nothing of the message, or all of it.
        case forget
        case ignore
    }

    let header: MessageHeader
    private var state = State.open(Content())

    /// Lets go of the content, of which the caller holds the other copy and which it puts back: else the queue in it
    /// would be copied whenever it changes.
    private mutating func release() { self.state = .gone }

    init(header: MessageHeader) { self.header = header }

    var phase: Phase {
        switch self.state {
        case .open: .open
        case .supplied: .supplied
        case .sent: .sent
        case .answered: .answered
        case .aborting: .aborting
        case .gone: .gone
        }
    }

    /// Octets supplied and not yet sent.
    var unsentBytes: Int {
        switch self.state {
        case .open(let content), .supplied(let content), .sent(let content): content.unsentBytes
        case .answered, .aborting, .gone: 0
        }
    }

    /// Octets supplied so far; once all are, the size of the message.
    var suppliedBytes: UInt64 {
        switch self.state {
        case .open(let content), .supplied(let content), .sent(let content): content.suppliedBytes
        case .answered(let size): size
        case .aborting, .gone: 0
        }
    }

    /// Whether the peer may have heard of the message.
    var hasSentAny: Bool {
        switch self.state {
        case .open(let content), .supplied(let content), .sent(let content): content.sentAny
        case .answered, .aborting: true
        case .gone: false
        }
    }

    /// Whether ``cut(atMost:)`` would give a chunk.
    var isReady: Bool {
        switch self.state {
        case .open(let content): !content.unsent.isEmpty
        case .supplied, .aborting: true
        case .sent, .answered, .gone: false
        }
    }

    /// Takes content from the producer.
    mutating func supply(_ bytes: ByteBuffer) throws(MSRPError) {
        switch self.state {
        case .open(var content):
            let end = content.suppliedBytes + UInt64(bytes.readableBytes)
            if let size = self.header.size, end > size {
                throw MSRPError(.wrongSize, "\(size) octets were announced", offset: Int(clamping: size))
            }
            self.release()
            if bytes.readableBytes > 0 {
                content.unsent.append(Piece(offset: content.suppliedBytes, bytes: bytes))
                content.unsentBytes += bytes.readableBytes
                content.suppliedBytes = end
            }
            // The chunk that reaches the announced size is the last one: nothing more has to be said for that.
            self.state = end == self.header.size ? .supplied(content) : .open(content)
        case .supplied, .sent, .answered:
            guard bytes.readableBytes > 0 else { return }
            throw MSRPError(.wrongSize, "the message is complete")
        case .aborting, .gone:
            throw MSRPError(.aborted, "the message was given up")
        }
    }

    /// Hears that the producer has no more.
    mutating func finish() throws(MSRPError) {
        switch self.state {
        case .open(let content):
            if let size = self.header.size, content.suppliedBytes != size {
                throw MSRPError(.wrongSize, "\(size) octets were announced")
            }
            self.state = .supplied(content)
        case .supplied, .sent, .answered: return
        case .aborting, .gone: throw MSRPError(.aborted, "the message was given up")
        }
    }

    /// Cuts the next chunk off; none when nothing is there to be sent.
    mutating func cut(atMost maxBytes: Int) -> Cut? {
        switch self.state {
        case .open(var content):
            self.release()
            let piece = Self.take(atMost: maxBytes, from: &content)
            self.state = .open(content)
            return piece.map { Cut(piece: $0, flag: .more) }
        case .supplied(var content):
            self.release()
            let piece =
                Self.take(atMost: maxBytes, from: &content)
                ?? Piece(offset: content.suppliedBytes, bytes: ByteBuffer())
            if content.unsent.isEmpty, content.isFinalSent || piece.end == content.suppliedBytes {
                let isFinal = piece.end == content.suppliedBytes
                content.isFinalSent = content.isFinalSent || isFinal
                content.sentAny = true
                content.unanswered += piece.bytes.readableBytes == 0 ? 1 : 0
                self.state = .sent(content)
                return Cut(piece: piece, flag: isFinal ? .complete : .more)
            }
            self.state = .supplied(content)
            return Cut(piece: piece, flag: .more)
        case .aborting(let offset):
            self.state = .gone
            return Cut(piece: Piece(offset: offset, bytes: ByteBuffer()), flag: .aborted)
        case .sent, .answered, .gone: return nil
        }
    }

    private static func take(atMost maxBytes: Int, from content: inout Content) -> Piece? {
        guard var piece = content.unsent.popFirst() else { return nil }
        if piece.bytes.readableBytes > maxBytes, let head = piece.bytes.readSlice(length: maxBytes) {
            content.unsent.prepend(
                Piece(offset: piece.offset + UInt64(maxBytes), bytes: piece.bytes)
            )
            piece.bytes = head
        } else {
            // A producer that supplies crumbs is not made to send a chunk for each of them.
            while piece.bytes.readableBytes < maxBytes, var next = content.unsent.first, next.offset == piece.end,
                let part = next.bytes.readSlice(
                    length: min(next.bytes.readableBytes, maxBytes - piece.bytes.readableBytes)
                )
            {
                piece.bytes.writeImmutableBuffer(part)
                content.unsent.removeFirst()
                next.offset = piece.end
                if next.bytes.readableBytes > 0 { content.unsent.prepend(next) }
            }
        }
        content.unsentBytes -= piece.bytes.readableBytes
        content.sentAny = true
        content.unanswered += 1
        return piece
    }

    /// Hears that a chunk was answered with success, or that no answer is wanted.
    mutating func answered() -> OnAnswer {
        switch self.state {
        case .open(var content):
            guard content.unanswered > 0 else { return .ignore }
            content.unanswered -= 1
            self.state = .open(content)
            return .progress
        case .supplied(var content):
            guard content.unanswered > 0 else { return .ignore }
            content.unanswered -= 1
            self.state = .supplied(content)
            return .progress
        case .sent(var content):
            guard content.unanswered > 0 else { return .ignore }
            content.unanswered -= 1
            self.state = content.unanswered == 0 ? .answered(size: content.suppliedBytes) : .sent(content)
            return content.unanswered == 0 ? .allAnswered : .progress
        case .answered, .aborting, .gone: return .ignore
        }
    }

    /// Puts a chunk back that was not answered when the connection broke; call it for the last one first.
    mutating func rewind(_ cut: Cut) {
        switch self.state {
        case .open(var content):
            self.release()
            Self.putBack(cut, into: &content)
            self.state = .open(content)
        case .supplied(var content), .sent(var content):
            self.release()
            Self.putBack(cut, into: &content)
            self.state = .supplied(content)
        case .answered, .aborting, .gone: return
        }
    }

    private static func putBack(_ cut: Cut, into content: inout Content) {
        content.unanswered -= 1
        if cut.flag == .complete { content.isFinalSent = false }
        guard cut.piece.bytes.readableBytes > 0 else { return }
        content.unsent.prepend(cut.piece)
        content.unsentBytes += cut.piece.bytes.readableBytes
    }

    /// Hears that the message is not wanted any more, by us (`tellsPeer`) or by the peer.
    mutating func abort(tellsPeer: Bool) -> OnAbort {
        switch self.state {
        case .open(let content), .supplied(let content):
            if tellsPeer, content.sentAny {
                let offset = content.unsent.first?.offset ?? content.suppliedBytes
                self.state = .aborting(offset: offset)
                return .sendAbort
            }
            self.state = .gone
            return .forget
        case .sent:
            self.state = .gone
            return .forget
        case .aborting:
            guard !tellsPeer else { return .ignore }
            self.state = .gone
            return .forget
        case .answered, .gone: return .ignore
        }
    }
}
