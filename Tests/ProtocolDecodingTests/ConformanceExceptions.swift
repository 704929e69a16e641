/// Files of the corpus whose verdict is not met, each with the reason. The aim is none.
enum ConformanceExceptions {
    static let reasons: [String: String] = [:]
}
