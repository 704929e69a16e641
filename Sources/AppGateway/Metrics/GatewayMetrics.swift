import Metrics

/// The gateway's own figures; handles are kept, for making one takes the registry's lock.
struct GatewayMetrics: Sendable {
    private let sockets: Meter
    private let socketFrames: Counter
    private let answers: [Counter]
    private let duration: Metrics.Timer
    private let rateLimited: Counter

    init(listener: String, factory: any MetricsFactory) {
        let dimensions = [("listener", listener)]
        sockets = Meter(label: "continuo_sockets", dimensions: dimensions, factory: factory)
        socketFrames = Counter(label: "continuo_socket_frames_sent_total", dimensions: dimensions, factory: factory)
        answers = (1...5).map { family in
            Counter(
                label: "continuo_http_answers_total",
                dimensions: dimensions + [("status", "\(family)xx")],
                factory: factory
            )
        }
        duration = Metrics.Timer(label: "continuo_http_request_seconds", dimensions: dimensions, factory: factory)
        rateLimited = Counter(label: "continuo_http_rate_limited_total", dimensions: dimensions, factory: factory)
    }

    func socketOpened() { sockets.increment() }

    func socketClosed() { sockets.decrement() }

    func frameWritten() { socketFrames.increment() }

    func answered(status: Int, nanoseconds: Int64) {
        answers[min(max(status / 100, 1), 5) - 1].increment()
        duration.recordNanoseconds(nanoseconds)
        if status == 429 { rateLimited.increment() }
    }
}
