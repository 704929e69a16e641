import MessagingService
import NIOCore

/// A connection that wants to be told of time going by, on its loop.
protocol LoopMember: AnyObject {
    func tick(now: Int64)
}

/// A connection that has written and is to be flushed once the loop's turn ends.
protocol LoopWriter: AnyObject {
    func flushNow()
}

/// What the gateway keeps for each event loop: the inbox for work from elsewhere, one clock for all connections, and
/// the list of those to flush.
///
/// `@unchecked Sendable`: `post` may be called from any thread; everything else is touched on the loop alone.
final class ConnectionLoop: Inbox, @unchecked Sendable {
    let eventLoop: any EventLoop
    private let tickMilliseconds: Int64
    private let queue = WorkQueue()
    private var members: [ObjectIdentifier: any LoopMember] = [:]
    private var timer: RepeatedTask?
    private var written: [any LoopWriter] = []
    private var turns = 0

    init(_ eventLoop: any EventLoop, tickMilliseconds: Int64) {
        self.eventLoop = eventLoop
        self.tickMilliseconds = tickMilliseconds
    }

    /// Milliseconds of the clock that deadlines are measured by.
    static func now() -> Int64 { Int64(NIODeadline.now().uptimeNanoseconds / 1_000_000) }

    func post(_ work: @escaping @Sendable () -> Void) {
        if queue.add(work) { eventLoop.execute { self.drain() } }
    }

    private func drain() {
        let work = queue.takeAll()
        turn { for item in work { item() } }
    }

    /// Runs work whose writes are flushed together when it is done.
    func turn(_ body: () -> Void) {
        turns += 1
        body()
        turns -= 1
        guard turns == 0, !written.isEmpty else { return }
        let writers = written
        written = []
        for writer in writers { writer.flushNow() }
    }

    /// Flushes the writer at the end of the running turn, or at once when there is none.
    func flushLater(_ writer: any LoopWriter) {
        guard turns > 0 else { return writer.flushNow() }
        written.append(writer)
    }

    /// Starts telling a connection of the time; called on the loop.
    func join(_ member: any LoopMember) {
        members[ObjectIdentifier(member)] = member
        guard timer == nil else { return }
        let interval = TimeAmount.milliseconds(tickMilliseconds)
        timer = eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { [weak self] _ in
            self?.tick()
        }
    }

    /// Stops it; called on the loop.
    func leave(_ member: any LoopMember) {
        members[ObjectIdentifier(member)] = nil
        guard members.isEmpty else { return }
        timer?.cancel()
        timer = nil
    }

    private func tick() {
        let now = Self.now()
        turn { for member in Array(members.values) { member.tick(now: now) } }
    }
}

/// The loops of a group, found by the one that a connection lives on.
struct ConnectionLoops: Sendable {
    private let loops: [ObjectIdentifier: ConnectionLoop]

    init(_ group: any EventLoopGroup, limits: GatewayLimits) {
        loops = Dictionary(
            uniqueKeysWithValues: group.makeIterator().map {
                (ObjectIdentifier($0), ConnectionLoop($0, tickMilliseconds: limits.tickMilliseconds))
            }
        )
    }

    subscript(eventLoop: any EventLoop) -> ConnectionLoop {
        guard let loop = loops[ObjectIdentifier(eventLoop)] else {
            preconditionFailure("a connection on a loop of another group")
        }
        return loop
    }
}
