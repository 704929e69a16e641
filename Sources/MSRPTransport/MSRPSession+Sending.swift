public import MSRP
public import NIOCore

/// Who waits for what became of messages, and for room to supply more.
struct SendWaiters {
    private var results: [MessageID: (promise: EventLoopPromise<MessageSender.Outcome>, untilDelivered: Bool)] = [:]
    private var rooms: [MessageID: [EventLoopPromise<Void>]] = [:]

    mutating func await(_ id: MessageID, _ promise: EventLoopPromise<MessageSender.Outcome>, untilDelivered: Bool) {
        self.results[id] = (promise, untilDelivered)
    }

    mutating func awaitRoom(_ id: MessageID, _ promise: EventLoopPromise<Void>) {
        self.rooms[id, default: []].append(promise)
    }

    mutating func hasRoom(_ id: MessageID) {
        for promise in self.rooms.removeValue(forKey: id) ?? [] { promise.succeed() }
    }

    mutating func finished(_ result: MessageSender.Result) {
        if case .failed(let status) = result.outcome {
            let error = MSRPError(.refused, "the message failed with \(status.rawValue)", status: status)
            for promise in self.rooms.removeValue(forKey: result.id) ?? [] { promise.fail(error) }
        } else {
            self.hasRoom(result.id)
        }
        guard let waiter = self.results[result.id] else { return }
        if result.outcome == .sent, waiter.untilDelivered { return }
        self.results[result.id] = nil
        waiter.promise.succeed(result.outcome)
    }

    mutating func failAll(_ error: MSRPError) {
        for (_, waiter) in self.results { waiter.promise.fail(error) }
        for (_, promises) in self.rooms { for promise in promises { promise.fail(error) } }
        self.results.removeAll()
        self.rooms.removeAll()
    }
}

extension MSRPSession {
    /// What a message is sent with.
    public struct Outgoing: Sendable {
        /// The type of the content.
        public var contentType: String
        /// The octets of the content; none when that is not known beforehand.
        public var size: UInt64?
        /// Whether the peer is to report that the message has arrived.
        public var wantsSuccessReport = false
        /// When failures are to be heard of.
        ///
        /// Only with `yes` can a message be resumed after a broken connection.
        public var failureReport = FailureReport.yes

        /// Describes a message.
        public init(contentType: String, size: UInt64?) {
            self.contentType = contentType
            self.size = size
        }
    }

    /// Begins a message.
    ///
    /// - Returns: its id, and what becomes of it: with a success report asked for, once it is delivered; otherwise once
    ///   it is sent. The result fails with an ``MSRP/MSRPError`` when the session ends before.
    public func begin(
        _ outgoing: Outgoing
    ) -> EventLoopFuture<(id: MessageID, outcome: EventLoopFuture<MessageSender.Outcome>)> {
        let loop = self.eventLoop
        let promise = loop.makePromise(of: (id: MessageID, outcome: EventLoopFuture<MessageSender.Outcome>).self)
        let outcome = loop.makePromise(of: MessageSender.Outcome.self)
        self.onLoop {
            do {
                if let reason = self.core.lifecycle.closeReason { throw reason }
                let id = self.core.sender.makeMessageID()
                try self.core.sender.start(
                    .init(
                        id: id,
                        contentType: outgoing.contentType,
                        size: outgoing.size,
                        wantsSuccessReport: outgoing.wantsSuccessReport,
                        failureReport: outgoing.failureReport
                    )
                )
                self.waiters.await(id, outcome, untilDelivered: outgoing.wantsSuccessReport)
                promise.succeed((id, outcome.futureResult))
                self.connection?.sendMore()
            } catch {
                outcome.fail(error)
                promise.fail(error)
            }
        }
        return promise.futureResult
    }

    /// Supplies content of a message, in order.
    ///
    /// - Returns: when there is room for more; wait for it, and a message of any size takes little memory.
    public func supply(_ bytes: ByteBuffer, to id: MessageID, isLast: Bool = false) -> EventLoopFuture<Void> {
        let promise = self.eventLoop.makePromise(of: Void.self)
        self.onLoop {
            do throws(MSRPError) {
                let room = try self.core.sender.supply(bytes, to: id)
                if isLast { try self.core.sender.finish(id) }
                switch room {
                case .more: promise.succeed()
                case .wait: self.waiters.awaitRoom(id, promise)
                }
                self.connection?.sendMore()
            } catch {
                // A message whose size was known may be over before its producer says that this was all.
                if bytes.readableBytes == 0, error.code == .unknownMessage { return promise.succeed() }
                promise.fail(error)
            }
        }
        return promise.futureResult
    }

    /// Sends a message and waits for what becomes of it.
    ///
    /// - Throws: ``MSRP/MSRPError``: ``MSRP/MSRPError/Code/refused`` when the message fails, or why the session ended.
    public func send(_ content: ByteBuffer, contentType: String, wantsSuccessReport: Bool = false) async throws {
        var outgoing = Outgoing(contentType: contentType, size: UInt64(content.readableBytes))
        outgoing.wantsSuccessReport = wantsSuccessReport
        try await self.send(outgoing, content: OnePiece(content: content))
    }

    /// Sends a message whose content comes in pieces, no faster than the peer takes it, and waits for what becomes of
    /// it.
    ///
    /// When the task is cancelled, or the content ends with an error, the message is given up.
    ///
    /// - Throws: ``MSRP/MSRPError``: ``MSRP/MSRPError/Code/refused`` when the message fails, or why the session ended;
    ///   or the error of the content.
    public func send<Content: AsyncSequence & Sendable>(
        _ outgoing: Outgoing,
        content: Content
    ) async throws where Content.Element == ByteBuffer {
        let (id, outcome) = try await self.begin(outgoing).get()
        do {
            for try await piece in content {
                try Task.checkCancellation()
                try await self.supply(piece, to: id).get()
            }
            try await self.supply(ByteBuffer(), to: id, isLast: true).get()
        } catch {
            // When the message has failed by itself, that says more than that there was no room for it any more.
            self.abort(id)
            if case .failed(let status) = try await outcome.get(), status != .stopSending || error is MSRPError {
                throw MSRPError(.refused, "the message failed with \(status.rawValue)", status: status)
            }
            throw error
        }
        let end = try await withTaskCancellationHandler {
            try await outcome.get()
        } onCancel: {
            self.abort(id)
        }
        guard case .failed(let status) = end else { return }
        throw MSRPError(.refused, "the message failed with \(status.rawValue)", status: status)
    }
}

/// A sequence of one buffer.
private struct OnePiece: AsyncSequence, Sendable {
    struct AsyncIterator: AsyncIteratorProtocol {
        var content: ByteBuffer?

        mutating func next() async -> ByteBuffer? {
            defer { self.content = nil }
            return self.content
        }
    }

    let content: ByteBuffer

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(content: self.content) }
}
