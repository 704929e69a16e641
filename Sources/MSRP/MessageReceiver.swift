import DequeModule
public import NIOCore

/// Puts the chunks of a session's messages together again (RFC 4975 sections 5.1 and 7.3.1).
///
/// Content is given on as soon as everything before it was, so that a message of any size passes through without being
/// held; what comes too early waits, within bounds; what comes twice is dropped. Nothing is allocated by what a chunk
/// announces, only by what has come.
///
/// For each chunk: ``begin(_:now:)``, ``content(_:)`` for each piece (with ``takeReady()`` until it has nothing more), and
/// ``end(_:)``.
public struct MessageReceiver: Sendable {
    /// What a chunk begins.
    public enum OnBegin: Sendable, Hashable {
        /// A message of which nothing was heard before.
        case newMessage(MessageID)
        /// More of a message.
        case knownMessage(MessageID)
        /// A message that is over: received (200), refused or stopped. Its content is dropped.
        case finished(MessageID, MSRPStatus)
        /// The message is not taken. Answer with the status, and do not wait for the end of the chunk to do so.
        case refuse(MSRPStatus)
    }

    /// What to do with content.
    public enum OnContent: Sendable, Hashable {
        /// Give it on; it starts at this octet of the message, counted from 0.
        case deliver(MessageID, offset: UInt64, ByteBuffer)
        /// Nothing to give on.
        case nothing
        /// The message went over a limit and is stopped; answer with the status at once.
        case stop(MessageID, MSRPStatus)
    }

    /// What the end of a chunk means.
    public enum OnEnd: Sendable, Hashable {
        /// Answer the chunk with the status; nothing else follows.
        case answer(MSRPStatus)
        /// The message is complete; answer the chunk.
        case complete(MessageID, size: UInt64)
        /// A part of a message that is over came again; answer with the status. With a `size` it was the last part:
        /// when a report on the message was asked for, it may have been lost too.
        case repeated(MessageID, MSRPStatus, size: UInt64?)
        /// The sender has given the message up; answer the chunk.
        case aborted(MessageID)
        /// The message makes no sense and was dropped; answer with the status.
        case failed(MessageID, MSRPStatus)
        /// No chunk was begun, or it was answered already.
        case nothing
    }

    private enum Current {
        case none
        case receiving(MessageID, position: UInt64)
        case repeating(MessageID, MSRPStatus, position: UInt64)
        case dropping(answer: MSRPStatus?)
    }

    private struct Entry {
        var message = IncomingMessage()
        var lastHeard: NIODeadline
    }

    private let limits: MSRPLimits
    private var current = Current.none
    private var messages: [MessageID: Entry] = [:]
    private var waitingBytes = 0
    private var finished: [MessageID: MSRPStatus] = [:]
    private var finishedOrder: Deque<MessageID> = []

    /// Makes a receiver that knows of no message.
    public init(limits: MSRPLimits = .init()) { self.limits = limits }

    /// Messages that have begun and are not over.
    public var incompleteCount: Int { self.messages.count }

    /// Octets that wait for a gap before them to close.
    public var waitingByteCount: Int { self.waitingBytes }

    /// Begins a chunk with content.
    ///
    /// - Throws: ``MSRPError`` when the head makes no sense; answer with its ``MSRPError/responseStatus``.
    public mutating func begin(_ head: FrameHead, now: NIODeadline) throws(MSRPError) -> OnBegin {
        self.current = .dropping(answer: nil)
        guard let id = try head.messageID() else { throw MSRPError(.missingHeader, "Message-ID expected") }
        let range = try head.byteRange()
        if let status = self.finished[id] {
            self.current = .repeating(id, status, position: range.start - 1)
            return .finished(id, status)
        }
        let known = self.messages[id] != nil
        guard (range.total ?? 0) <= self.limits.maxMessageBytes,
            max(range.start - 1, range.end ?? 0) <= self.limits.maxMessageBytes
        else {
            self.drop(id, .stopSending)
            return .refuse(.stopSending)
        }
        guard known || self.messages.count < self.limits.maxIncompleteMessages else { return .refuse(.stopSending) }
        self.messages[id, default: Entry(lastHeard: now)].lastHeard = now
        self.current = .receiving(id, position: range.start - 1)
        return known ? .knownMessage(id) : .newMessage(id)
    }

    /// Takes the next octets of the chunk.
    public mutating func content(_ bytes: ByteBuffer) -> OnContent {
        if case .repeating(let id, let status, let position) = self.current {
            self.current = .repeating(id, status, position: position &+ UInt64(bytes.readableBytes))
        }
        guard case .receiving(let id, let position) = self.current, let index = self.messages.index(forKey: id) else {
            return .nothing
        }
        let (end, overflow) = position.addingReportingOverflow(UInt64(bytes.readableBytes))
        guard !overflow, end <= self.limits.maxMessageBytes else { return self.stopCurrent(id, .stopSending) }
        let before = self.messages.values[index].message.waitingBytes
        do {
            let offset = self.messages.values[index].message.nextOffset
            let room = self.limits.maxOutOfOrderBytes - self.waitingBytes
            let action = try self.messages.values[index].message.content(
                bytes,
                at: position,
                limits: self.limits,
                roomOutOfOrder: room
            )
            self.waitingBytes += self.messages.values[index].message.waitingBytes - before
            self.current = .receiving(id, position: end)
            guard case .deliver(let content) = action else { return .nothing }
            return .deliver(id, offset: offset, content)
        } catch {
            self.waitingBytes += self.messages.values[index].message.waitingBytes - before
            return self.stopCurrent(id, error.responseStatus)
        }
    }

    private mutating func stopCurrent(_ id: MessageID, _ status: MSRPStatus) -> OnContent {
        self.drop(id, status)
        self.current = .dropping(answer: nil)
        return .stop(id, status)
    }

    /// Content that waited and is next now, after a delivery.
    public mutating func takeReady() -> OnContent {
        guard case .receiving(let id, _) = self.current, let index = self.messages.index(forKey: id) else {
            return .nothing
        }
        let offset = self.messages.values[index].message.nextOffset
        guard let content = self.messages.values[index].message.takeReady() else { return .nothing }
        self.waitingBytes -= content.readableBytes
        return .deliver(id, offset: offset, content)
    }

    /// Ends the chunk.
    public mutating func end(_ flag: Continuation) -> OnEnd {
        let current = self.current
        self.current = .none
        switch current {
        case .none: return .nothing
        case .repeating(let id, let status, let position):
            return .repeated(id, status, size: flag == .complete ? position : nil)
        case .dropping(let answer): return answer.map { .answer($0) } ?? .nothing
        case .receiving(let id, let position):
            guard let index = self.messages.index(forKey: id) else { return .nothing }
            let before = self.messages.values[index].message.waitingBytes
            do {
                let action = try self.messages.values[index].message.end(flag, at: position)
                // What waited in a message that was given up waits no more.
                self.waitingBytes += self.messages.values[index].message.waitingBytes - before
                switch action {
                case .more, .ignore: return .answer(.ok)
                case .complete(let size):
                    self.drop(id, .ok)
                    return .complete(id, size: size)
                case .aborted:
                    self.drop(id, nil)
                    return .aborted(id)
                }
            } catch {
                self.drop(id, error.responseStatus)
                return .failed(id, error.responseStatus)
            }
        }
    }

    /// Hears that the rest of a message is not wanted; its further chunks are answered with the status.
    ///
    /// - Returns: whether the message was still being received.
    public mutating func stop(_ id: MessageID, _ status: MSRPStatus) -> Bool {
        guard self.messages[id] != nil else { return false }
        self.drop(id, status)
        if case .receiving(let current, _) = self.current, current == id { self.current = .dropping(answer: status) }
        return true
    }

    /// Forgets a message as if nothing had been heard of it.
    ///
    /// - Returns: whether it was being received.
    public mutating func forget(_ id: MessageID) -> Bool {
        guard self.messages[id] != nil else { return false }
        self.drop(id, nil)
        if case .receiving(let current, _) = self.current, current == id { self.current = .none }
        return true
    }

    /// Changes what a message that is over is answered with when a part of it comes again.
    public mutating func settle(_ id: MessageID, _ status: MSRPStatus) {
        guard self.finished[id] != nil else { return }
        self.finished[id] = status
    }

    /// When ``expire(now:)`` has something to do; none when no message is incomplete.
    public var nextDeadline: NIODeadline? {
        self.messages.values.map(\.lastHeard).min().map { $0 + self.limits.incompleteTimeout }
    }

    /// Gives up messages of which nothing was heard for too long.
    ///
    /// - Returns: their ids; further chunks of them are answered with 413.
    public mutating func expire(now: NIODeadline) -> [MessageID] {
        let stale = self.messages.filter { $0.value.lastHeard + self.limits.incompleteTimeout <= now }.keys
        for id in stale { _ = self.stop(id, .stopSending) }
        return stale.sorted { $0.text < $1.text }
    }

    /// Hears that the connection broke inside a chunk, which will not go on.
    ///
    /// Messages stay, to be resumed.
    public mutating func connectionLost() { self.current = .none }

    /// Forgets messages that have not ended.
    ///
    /// - Returns: their ids.
    public mutating func close() -> [MessageID] {
        let ids = self.messages.keys.sorted { $0.text < $1.text }
        self.messages.removeAll()
        self.waitingBytes = 0
        self.current = .none
        return ids
    }

    /// Lets go of a message, and remembers how it ended when there is something to remember.
    private mutating func drop(_ id: MessageID, _ status: MSRPStatus?) {
        if let entry = self.messages.removeValue(forKey: id) { self.waitingBytes -= entry.message.waitingBytes }
        guard let status else { return }
        if self.finished.updateValue(status, forKey: id) == nil { self.finishedOrder.append(id) }
        while self.finishedOrder.count > self.limits.maxRememberedMessages,
            let oldest = self.finishedOrder.popFirst()
        {
            self.finished[oldest] = nil
        }
    }
}
