/// Whether the other side of a socket is alive and keeps up, without any I/O.
///
/// Times are milliseconds of a clock that never goes back.
struct SocketLiveness: Equatable {
    private enum State: Equatable {
        /// Nothing was heard yet; a silent connection is not kept.
        case silent(since: Int64)
        /// `pings` were sent since something was heard.
        case open(heard: Int64, pings: Int, stalled: Int64?)
        /// We said that we close, and wait for the other side to say so too.
        case closing(until: Int64)
        case closed
    }

    /// Why a socket is given up.
    enum Reason: Equatable {
        case noHello
        case noPong
        case tooSlow
    }

    /// What to do as time goes by.
    enum OnTick: Equatable {
        case nothing
        case ping
        /// Say why, then close.
        case close(Reason)
        /// Close without more words.
        case drop
    }

    /// What to do when the other side closes.
    enum OnPeerClose: Equatable {
        /// Answer with the same code, then close.
        case answer
        /// It answers ours: close.
        case drop
        case nothing
    }

    /// What to do when our side wants to close.
    enum OnClose: Equatable {
        case sayIt
        case nothing
    }

    /// The bounds that a socket is held to.
    struct Deadlines: Equatable {
        var hello: Int64
        var ping: Int64
        var missedPongs: Int
        var stall: Int64
        var close: Int64
    }

    private let deadlines: Deadlines
    private var state: State

    init(_ deadlines: Deadlines, now: Int64) {
        self.deadlines = deadlines
        state = .silent(since: now)
    }

    /// A whole message came.
    /// - Returns: whether it is to be looked at.
    mutating func message(now: Int64) -> Bool {
        switch state {
        case .silent:
            state = .open(heard: now, pings: 0, stalled: nil)
            return true
        case .open(_, _, let stalled):
            state = .open(heard: now, pings: 0, stalled: stalled)
            return true
        case .closing, .closed: return false
        }
    }

    /// A ping or a pong came: the other side lives, but has said nothing yet.
    /// - Returns: whether a ping is to be answered.
    mutating func control(now: Int64) -> Bool {
        switch state {
        case .silent: return true
        case .open(_, _, let stalled):
            state = .open(heard: now, pings: 0, stalled: stalled)
            return true
        case .closing, .closed: return false
        }
    }

    /// The other side takes bytes again, or no more.
    mutating func writability(_ isWritable: Bool, now: Int64) {
        switch state {
        case .open(let heard, let pings, let stalled):
            // What it did not say while it was not read does not count against it.
            state = .open(
                heard: isWritable && stalled != nil ? now : heard,
                pings: isWritable && stalled != nil ? 0 : pings,
                stalled: isWritable ? nil : stalled ?? now
            )
        case .silent, .closing, .closed: break
        }
    }

    mutating func close(now: Int64) -> OnClose {
        switch state {
        case .silent, .open:
            state = .closing(until: now + deadlines.close)
            return .sayIt
        case .closing, .closed: return .nothing
        }
    }

    mutating func peerCloses() -> OnPeerClose {
        defer { state = .closed }
        switch state {
        case .silent, .open: return .answer
        case .closing: return .drop
        case .closed: return .nothing
        }
    }

    /// The connection is gone.
    mutating func gone() { state = .closed }

    mutating func tick(now: Int64) -> OnTick {
        switch state {
        case .silent(let since): return now - since >= deadlines.hello ? .close(.noHello) : .nothing
        case .open(_, _, let stalled?): return now - stalled >= deadlines.stall ? .close(.tooSlow) : .nothing
        case .open(let heard, let pings, nil):
            guard now - heard >= deadlines.ping * Int64(pings + 1) else { return .nothing }
            guard pings < deadlines.missedPongs else { return .close(.noPong) }
            state = .open(heard: heard, pings: pings + 1, stalled: nil)
            return .ping
        case .closing(let until):
            guard now >= until else { return .nothing }
            state = .closed
            return .drop
        case .closed: return .nothing
        }
    }

    /// Whether we still write.
    var isOpen: Bool {
        switch state {
        case .silent, .open: true
        case .closing, .closed: false
        }
    }
}

extension GatewayLimits {
    /// The part of the limits that one socket needs.
    var socketDeadlines: SocketLiveness.Deadlines {
        SocketLiveness.Deadlines(
            hello: helloMilliseconds,
            ping: pingMilliseconds,
            missedPongs: missedPongs,
            stall: stallMilliseconds,
            close: closeMilliseconds
        )
    }
}
