public import CoreMetrics
import Synchronization

/// Keeps every metric of the process and writes them in Prometheus' text format (version 0.0.4).
///
/// The server root bootstraps `MetricsSystem` with it; the operator listener serves what ``text()`` gives.
public final class PrometheusRegistry: MetricsFactory, Sendable {
    private struct Key: Hashable {
        var label: String
        var labels: String
    }

    private struct Tables {
        var counters: [Key: PrometheusValue] = [:]
        var gauges: [Key: PrometheusValue] = [:]
        var histograms: [Key: PrometheusHistogram] = [:]
    }

    private let tables = Mutex(Tables())

    /// An empty registry.
    public init() {}

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        value(label, dimensions, \.counters)
    }

    public func makeFloatingPointCounter(
        label: String,
        dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        value(label, dimensions, \.counters)
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        value(label, dimensions, \.gauges)
    }

    /// A gauge comes as a recorder that does not aggregate.
    public func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else { return value(label, dimensions, \.gauges) }
        return histogram(label, dimensions)
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(label, dimensions)
    }

    // Metrics live as long as the process: their labels are constants of the program.
    public func destroyCounter(_ handler: any CounterHandler) {}
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    public func destroyMeter(_ handler: any MeterHandler) {}
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    public func destroyTimer(_ handler: any TimerHandler) {}

    private func value(
        _ label: String,
        _ dimensions: [(String, String)],
        _ table: WritableKeyPath<Tables, [Key: PrometheusValue]>
    ) -> PrometheusValue {
        let key = Key(label: Self.name(label), labels: Self.labels(dimensions))
        return tables.withLock { tables in
            if let known = tables[keyPath: table][key] { return known }
            let made = PrometheusValue()
            tables[keyPath: table][key] = made
            return made
        }
    }

    private func histogram(_ label: String, _ dimensions: [(String, String)]) -> PrometheusHistogram {
        let key = Key(label: Self.name(label), labels: Self.labels(dimensions))
        return tables.withLock { tables in
            if let known = tables.histograms[key] { return known }
            let made = PrometheusHistogram()
            tables.histograms[key] = made
            return made
        }
    }

    /// All metrics as a page.
    public func text() -> String {
        tables.withLock { tables in
            var page = ""
            Self.write(tables.counters, "counter", &page)
            Self.write(tables.gauges, "gauge", &page)
            for (label, entries) in Self.families(tables.histograms) {
                page += "# TYPE \(label) histogram\n"
                for (key, histogram) in entries { histogram.write(label, key.labels, &page) }
            }
            return page
        }
    }

    private static func write(_ table: [Key: PrometheusValue], _ type: String, _ page: inout String) {
        for (label, entries) in families(table) {
            page += "# TYPE \(label) \(type)\n"
            for (key, value) in entries {
                page += "\(label)\(key.labels.isEmpty ? "" : "{\(key.labels)}") \(format(value.current))\n"
            }
        }
    }

    private static func families<Value>(_ table: [Key: Value]) -> [(String, [(Key, Value)])] {
        Dictionary(grouping: table) { $0.key.label }
            .map { label, entries in (label, entries.map { ($0.key, $0.value) }.sorted { $0.0.labels < $1.0.labels }) }
            .sorted { $0.0 < $1.0 }
    }

    static func format(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
    }

    /// Letters, digits, `_` and `:`; anything else becomes `_`.
    private static func name(_ label: String) -> String {
        let bytes = label.utf8.enumerated().map { offset, byte -> UInt8 in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"),
                UInt8(ascii: ":"):
                return byte
            case UInt8(ascii: "0")...UInt8(ascii: "9"): return offset == 0 ? UInt8(ascii: "_") : byte
            default: return UInt8(ascii: "_")
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func labels(_ dimensions: [(String, String)]) -> String {
        dimensions.map { label, value in
            var escaped = ""
            for character in value.unicodeScalars {
                switch character {
                case "\\": escaped += "\\\\"
                case "\"": escaped += "\\\""
                case "\n": escaped += "\\n"
                default: escaped.unicodeScalars.append(character)
                }
            }
            return "\(name(label))=\"\(escaped)\""
        }.joined(separator: ",")
    }
}
