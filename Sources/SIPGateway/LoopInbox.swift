import MessagingService
import NIOCore

/// Takes work from other threads to the gateway's loop; what is queued before a turn shares its wake-up.
final class LoopInbox: Inbox {
    private let eventLoop: any EventLoop
    private let queue = WorkQueue()

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func post(_ work: @escaping @Sendable () -> Void) {
        if queue.add(work) { eventLoop.execute { self.drain() } }
    }

    private func drain() {
        for work in queue.takeAll() { work() }
    }
}
