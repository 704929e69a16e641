/// What of a representation a client asks for with `Range: bytes=...` (RFC 9110, section 14).
enum ByteRange: Equatable, Sendable {
    /// All of it: no range, one that is not understood, or several at once.
    case whole
    case part(Range<Int64>)
    /// The range lies outside: 416.
    case unsatisfiable

    init(_ field: String?, size: Int64) {
        guard let field, let specification = Self.specification(field) else {
            self = .whole
            return
        }
        switch specification {
        case (nil, let suffix?):
            self = suffix > 0 && size > 0 ? .part(max(0, size - suffix)..<size) : .unsatisfiable
        case (let first?, let last):
            if let last, last < first {
                self = .whole
            } else if first >= size {
                self = .unsatisfiable
            } else {
                self = .part(first..<min(size, (last ?? size - 1) == .max ? .max : (last ?? size - 1) + 1))
            }
        case (nil, nil): self = .whole
        }
    }

    /// `bytes=first-last`, either one left out; nil when it is not a single such range.
    private static func specification(_ field: String) -> (first: Int64?, last: Int64?)? {
        let halves = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard halves.count == 2, halves[0].lowercased() == "bytes" else { return nil }
        let ends = halves[1].split(separator: "-", omittingEmptySubsequences: false).map { $0.filter { $0 != " " } }
        guard ends.count == 2, let first = position(ends[0]), let last = position(ends[1]) else { return nil }
        return (first, last)
    }

    /// Digits, or nothing; a number too large for anything saturates.
    private static func position(_ text: String) -> Int64?? {
        guard !text.isEmpty else { return .some(nil) }
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        return .some(Int64(text) ?? .max)
    }
}

/// The comparison of `If-None-Match` and `If-Range` with a strong tag (RFC 9110, section 8.8.3).
struct EntityTag: Sendable, Equatable {
    /// With its quotes.
    let text: String

    init(hash: String) { text = "\"\(hash)\"" }

    /// `If-None-Match`: the client has it already.
    func isAmong(_ field: String?) -> Bool {
        guard let field else { return false }
        return field.split(separator: ",").contains { entry in
            var entry = entry.drop { $0 == " " || $0 == "\t" }
            while let last = entry.last, last == " " || last == "\t" { entry.removeLast() }
            if entry.hasPrefix("W/") { entry = entry.dropFirst(2) }
            return entry == "*" || entry == text
        }
    }

    /// `If-Range`: the range still belongs to what the client has; a date never does.
    func permitsRange(_ field: String?) -> Bool { field == nil || field == text }
}
