/// Files of the corpus whose verdict is not met, each with the reason; the aim is none.
enum ConformanceExceptions {
    static let reasons: [String: String] = [:]
}
