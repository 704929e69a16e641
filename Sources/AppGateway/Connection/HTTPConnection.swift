/// One HTTP connection's life, without any I/O: which deadline runs, and when the connection is worth keeping.
///
/// Requests come one after the other (pipelining is undone before). All times are milliseconds of a clock that never
/// goes back.
struct HTTPConnection: Equatable {
    private enum State: Equatable {
        /// No head of a request is complete.
        case waiting(since: Int64)
        /// A request's body is coming; `ends` when the client wants no further request on this connection.
        case receiving(since: Int64, bytes: Int64, ends: Bool)
        /// The request is complete, no answer has begun.
        case working(ends: Bool)
        /// An answer is on its way; `stalled` since the client takes nothing of it; the connection `ends` with it.
        case answering(stalled: Int64?, ends: Bool)
        /// All is said; what still comes is thrown away, so that the client sees the answer and no reset.
        case lingering(until: Int64)
        case closed
    }

    /// What to do with a request's head.
    enum OnHead: Equatable {
        case pass
        /// Tell the client first that it may send the body (RFC 9110, section 10.1.1).
        case passAfterContinue
        case drop
    }

    /// What to do with a piece of a request.
    enum OnPart: Equatable {
        case pass
        case drop
    }

    /// What to do with an answer's head.
    enum OnAnswerHead: Equatable {
        case write
        /// Say in it that the connection closes.
        case writeClosing
        case drop
    }

    /// What to do with an answer's end.
    enum OnAnswerEnd: Equatable {
        case write
        case writeAndLinger
        case drop
    }

    /// What to do with bytes that are no HTTP.
    enum OnMalformed: Equatable {
        case answerAndLinger
        case close
        case ignore
    }

    /// What to do as time goes by.
    enum OnTick: Equatable {
        case nothing
        case close
    }

    /// The bounds that the connection is held to.
    struct Deadlines: Equatable {
        var head: Int64
        var body: Int64
        var bodyBytesPerSecond: Int64
        var stall: Int64
        var linger: Int64
    }

    private let deadlines: Deadlines
    private var state: State

    init(_ deadlines: Deadlines, now: Int64) {
        self.deadlines = deadlines
        state = .waiting(since: now)
    }

    mutating func head(expectsContinue: Bool, keepsAlive: Bool, now: Int64) -> OnHead {
        switch state {
        case .waiting:
            state = .receiving(since: now, bytes: 0, ends: !keepsAlive)
            return expectsContinue ? .passAfterContinue : .pass
        case .receiving, .working, .answering, .lingering, .closed: return .drop
        }
    }

    mutating func body(bytes count: Int) -> OnPart {
        switch state {
        case .receiving(let since, let bytes, let ends):
            state = .receiving(since: since, bytes: bytes + Int64(count), ends: ends)
            return .pass
        case .waiting, .working, .answering, .lingering, .closed: return .drop
        }
    }

    mutating func end() -> OnPart {
        switch state {
        case .receiving(_, _, let ends):
            state = .working(ends: ends)
            return .pass
        case .waiting, .working, .answering, .lingering, .closed: return .drop
        }
    }

    /// An answer that begins before its request is over ends the connection: the rest is not worth waiting for.
    mutating func answerHead() -> OnAnswerHead {
        switch state {
        case .working(let ends):
            state = .answering(stalled: nil, ends: ends)
            return ends ? .writeClosing : .write
        case .receiving:
            state = .answering(stalled: nil, ends: true)
            return .writeClosing
        case .waiting, .answering, .lingering, .closed: return .drop
        }
    }

    /// Whether a piece of an answer's body goes out.
    func answerBody() -> OnPart {
        switch state {
        case .answering: .pass
        case .waiting, .receiving, .working, .lingering, .closed: .drop
        }
    }

    mutating func answerEnd(now: Int64) -> OnAnswerEnd {
        switch state {
        case .answering(_, false):
            state = .waiting(since: now)
            return .write
        case .answering(_, true):
            state = .lingering(until: now + deadlines.linger)
            return .writeAndLinger
        case .waiting, .receiving, .working, .lingering, .closed: return .drop
        }
    }

    /// The client takes bytes again, or no more.
    mutating func writability(_ isWritable: Bool, now: Int64) {
        switch state {
        case .answering(let stalled, let ends):
            state = .answering(stalled: isWritable ? nil : stalled ?? now, ends: ends)
        case .waiting, .receiving, .working, .lingering, .closed: break
        }
    }

    mutating func malformed(now: Int64) -> OnMalformed {
        switch state {
        case .waiting, .receiving, .working:
            state = .lingering(until: now + deadlines.linger)
            return .answerAndLinger
        case .answering:
            state = .closed
            return .close
        case .lingering, .closed: return .ignore
        }
    }

    mutating func closed() { state = .closed }

    mutating func tick(now: Int64) -> OnTick {
        guard isOverdue(now: now) else { return .nothing }
        state = .closed
        return .close
    }

    private func isOverdue(now: Int64) -> Bool {
        switch state {
        case .waiting(let since): now - since >= deadlines.head
        case .receiving(let since, let bytes, _):
            now - since >= deadlines.body + bytes * 1000 / max(1, deadlines.bodyBytesPerSecond)
        case .answering(let stalled, _):
            stalled.map { now - $0 >= deadlines.stall } ?? false
        case .lingering(let until): now >= until
        case .working, .closed: false
        }
    }

    /// Whether what is read now is only thrown away.
    var isLingering: Bool {
        if case .lingering = state { true } else { false }
    }
}

extension GatewayLimits {
    /// The part of the limits that one HTTP connection needs.
    var deadlines: HTTPConnection.Deadlines {
        HTTPConnection.Deadlines(
            head: headMilliseconds,
            body: bodyMilliseconds,
            bodyBytesPerSecond: bodyBytesPerSecond,
            stall: stallMilliseconds,
            linger: lingerMilliseconds
        )
    }
}
