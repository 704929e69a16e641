import MessagingCore

/// The parameters of a query, each known and at most once.
struct Query: Sendable {
    private var values: [String: String] = [:]

    /// Reads `name=value&...` (`application/x-www-form-urlencoded`).
    /// - Throws: ``Refusal`` `invalid-request` for a name that is not in `known`, a repeated one, or broken escapes.
    init(_ text: Substring?, known: [Operation.Parameter]) throws(Refusal) {
        for pair in (text ?? "").split(separator: "&") {
            let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decoded(halves[0]), let value = Self.decoded(halves.count > 1 ? halves[1] : "") else {
                throw Refusal(.invalidRequest, "the query is not properly escaped")
            }
            guard known.contains(where: { $0.place == .query && $0.name == name }) else {
                throw Refusal(.invalidRequest, "\(name.prefix(40)): unknown parameter")
            }
            guard values.updateValue(value, forKey: name) == nil else {
                throw Refusal(.invalidRequest, "\(name): given twice")
            }
        }
    }

    private static func decoded(_ text: Substring) -> String? {
        percentDecoded(Substring(String(text.map { $0 == "+" ? " " : $0 })))
    }

    func text(_ name: String) -> String? { values[name] }

    /// A whole number from 0.
    /// - Throws: ``Refusal`` `invalid-request`.
    func number(_ name: String) throws(Refusal) -> Int64? {
        guard let text = values[name] else { return nil }
        guard text.utf8.count <= 19, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = Int64(text)
        else { throw Refusal(.invalidRequest, "\(name): expected a whole number") }
        return number
    }

    /// How many entries a page is to have.
    func limit() throws(Refusal) -> Int {
        guard let limit = try number("limit") else { return Self.pageItems }
        guard (1...Int64(Limits.pageItems)).contains(limit) else {
            throw Refusal(.invalidRequest, "limit: 1 to \(Limits.pageItems)")
        }
        return Int(limit)
    }

    func flag(_ name: String) throws(Refusal) -> Bool {
        switch values[name] {
        case nil, "false": return false
        case "true": return true
        default: throw Refusal(.invalidRequest, "\(name): true or false")
        }
    }

    private static let pageItems = 50
}
