import NIOCore

/// Calls a closure at an interval on one event loop until it is cancelled or given up.
final class RepeatingTimer {
    private let eventLoop: any EventLoop
    private let interval: TimeAmount
    private let body: () -> Void
    private var task: Scheduled<Void>?

    /// Starts; the first call comes after one interval.
    init(_ eventLoop: any EventLoop, every interval: TimeAmount, _ body: @escaping () -> Void) {
        self.eventLoop = eventLoop
        self.interval = interval
        self.body = body
        self.schedule()
    }

    deinit { self.task?.cancel() }

    func cancel() {
        self.task?.cancel()
        self.task = nil
    }

    private func schedule() {
        self.task = self.eventLoop.assumeIsolated().scheduleTask(in: self.interval) { [weak self] in
            guard let self else { return }
            self.schedule()
            self.body()
        }
    }
}
