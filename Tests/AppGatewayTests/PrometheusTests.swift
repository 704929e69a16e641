import CoreMetrics
import Testing

@testable import AppGateway

@Suite("Prometheus page")
struct PrometheusTests {
    @Test("counters, gauges and histograms in the text format")
    func page() {
        let registry = PrometheusRegistry()
        let counter = Counter(label: "b-total", dimensions: [("path", "a\"b\\c\nd")], factory: registry)
        counter.increment(by: 3)
        Counter(label: "b-total", dimensions: [("path", "a\"b\\c\nd")], factory: registry).increment()
        Gauge(label: "a.gauge", dimensions: [], factory: registry).record(2.5)
        Meter(label: "meter", dimensions: [], factory: registry).increment(by: 2)
        let timer = Timer(label: "t_seconds", dimensions: [("x", "y")], factory: registry)
        timer.recordNanoseconds(2_000_000)
        timer.recordNanoseconds(20_000_000_000)
        let page = registry.text()
        #expect(page.contains("# TYPE b_total counter\nb_total{path=\"a\\\"b\\\\c\\nd\"} 4\n"))
        #expect(page.contains("# TYPE a_gauge gauge\na_gauge 2.5\n"))
        #expect(page.contains("meter 2\n"))
        #expect(page.contains("# TYPE t_seconds histogram\n"))
        #expect(page.contains("t_seconds_bucket{x=\"y\",le=\"0.001\"} 0\n"))
        #expect(page.contains("t_seconds_bucket{x=\"y\",le=\"0.0025\"} 1\n"))
        #expect(page.contains("t_seconds_bucket{x=\"y\",le=\"10\"} 1\n"))
        #expect(page.contains("t_seconds_bucket{x=\"y\",le=\"+Inf\"} 2\n"))
        #expect(page.contains("t_seconds_sum{x=\"y\"} 20.002\nt_seconds_count{x=\"y\"} 2\n"))
    }
}
