import CoreMetrics
import Synchronization

/// A counter or a gauge.
final class PrometheusValue: CounterHandler, FloatingPointCounterHandler, MeterHandler, RecorderHandler {
    private let bits = Atomic<UInt64>(0)

    var current: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    private func add(_ amount: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (exchanged, seen) = bits.compareExchange(expected: old, desired: new, ordering: .relaxed)
            if exchanged { return }
            old = seen
        }
    }

    func increment(by amount: Int64) { add(Double(amount)) }
    func increment(by amount: Double) { add(amount) }
    func decrement(by amount: Double) { add(-amount) }
    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }
    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }
    func reset() { set(0.0) }
}

/// A histogram; times come in nanoseconds and are shown in seconds.
final class PrometheusHistogram: RecorderHandler, TimerHandler {
    private static let bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

    private struct State {
        var buckets = Array(repeating: UInt64(0), count: PrometheusHistogram.bounds.count + 1)
        var sum = 0.0
        var count: UInt64 = 0
    }

    private let state = Mutex(State())

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        let bucket = Self.bounds.firstIndex { value <= $0 } ?? Self.bounds.count
        state.withLock { state in
            state.buckets[bucket] += 1
            state.sum += value
            state.count += 1
        }
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }

    func write(_ label: String, _ labels: String, _ page: inout String) {
        let (buckets, sum, count) = state.withLock { ($0.buckets, $0.sum, $0.count) }
        let prefix = labels.isEmpty ? "" : labels + ","
        var running: UInt64 = 0
        for (bound, bucket) in zip(Self.bounds, buckets) {
            running += bucket
            page += "\(label)_bucket{\(prefix)le=\"\(PrometheusRegistry.format(bound))\"} \(running)\n"
        }
        page += "\(label)_bucket{\(prefix)le=\"+Inf\"} \(count)\n"
        let suffix = labels.isEmpty ? "" : "{\(labels)}"
        page += "\(label)_sum\(suffix) \(PrometheusRegistry.format(sum))\n\(label)_count\(suffix) \(count)\n"
    }
}
