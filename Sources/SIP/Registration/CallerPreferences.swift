public import ByteGrammar

/// Caller preferences: which devices of a callee a request is for (RFC 3840, RFC 3841).
public enum CallerPreferences {
    /// A device that a request may go to.
    public struct Candidate: Sendable, Hashable {
        /// The feature parameters of its Contact.
        public var features: Parameters
        /// Its own preference, 0 to 1000.
        public var quality: Int
        /// How well it meets the caller's preference, 0 to 1000.
        public internal(set) var score: Int

        /// Makes a candidate of a Contact.
        public init(_ contact: NameAddress) {
            self.features = contact.parameters
            self.quality = contact.quality
            self.score = 1000
        }
    }

    /// Ranks candidates by Accept-Contact and Reject-Contact (RFC 3841 section 7.2.4).
    ///
    /// - Returns: The indices of the candidates that may be tried, best first.
    /// - Throws: What the header fields throw.
    public static func rank(_ candidates: [Candidate], request: SIPMessage) throws(SIPError) -> [Int] {
        let rejects = try request.list(.rejectContact, as: ContactPredicate.self)
        let accepts = try request.list(.acceptContact, as: ContactPredicate.self)
        var ranked: [(index: Int, score: Int)] = []
        for (index, candidate) in candidates.enumerated() {
            let isRejected = rejects.contains { predicate in
                let result = predicate.match(candidate.features)
                return !predicate.features.isEmpty && result.present == result.total && result.matched == result.total
            }
            guard !isRejected else { continue }
            guard let score = Self.score(candidate, accepts) else { continue }
            ranked.append((index, score))
        }
        return ranked.sorted { left, right in
            let first = candidates[left.index].quality
            let second = candidates[right.index].quality
            return (second, right.score, left.index) < (first, left.score, right.index)
        }.map(\.index)
    }

    /// The caller's preference for a candidate, nil when a predicate with `require` rules it out.
    private static func score(_ candidate: Candidate, _ accepts: [ContactPredicate]) -> Int? {
        guard !accepts.isEmpty else { return 1000 }
        var sum = 0
        for predicate in accepts {
            let result = predicate.match(candidate.features)
            let contradicts = result.matched < result.present
            let isComplete = result.matched == result.total
            if predicate.isRequired, contradicts || (predicate.isExplicit && !isComplete) { return nil }
            if contradicts { continue }
            if predicate.isExplicit, !isComplete { continue }
            sum += result.total == 0 ? 1000 : result.matched * 1000 / result.total
        }
        return sum / accepts.count
    }
}

/// One value of Accept-Contact or Reject-Contact.
public struct ContactPredicate: HeaderValue {
    /// All parameters.
    public var parameters: Parameters

    /// Whether devices that do not match are out of the question.
    public var isRequired: Bool { self.parameters.contains("require") }
    /// Whether devices that say nothing about a feature count as not having it.
    public var isExplicit: Bool { self.parameters.contains("explicit") }
    /// The features that are asked for.
    public var features: [Parameter] {
        self.parameters.items.filter {
            !ASCII.equalIgnoringCase($0.name, "require") && !ASCII.equalIgnoringCase($0.name, "explicit")
        }
    }
    /// The value as it is printed.
    public var description: String { "*\(self.parameters)" }

    /// Takes one value.
    ///
    /// - Throws: ``SIPError/Code/malformedHeaderValue``.
    public init(parsing cursor: inout ByteCursor) throws(SIPError) {
        guard cursor.take(0x2A) else {
            throw SIPError(.malformedHeaderValue, "expected *", offset: cursor.offset)
        }
        self.parameters = try Parameters(parsing: &cursor)
    }

    /// How many features are asked for, how many of them the device says something about, and how many match.
    func match(_ device: Parameters) -> (total: Int, present: Int, matched: Int) {
        var present = 0
        var matched = 0
        for feature in self.features {
            guard let own = device.first(feature.name) else { continue }
            present += 1
            if FeatureSet(feature).intersects(FeatureSet(own)) { matched += 1 }
        }
        return (self.features.count, present, matched)
    }
}

/// The values of one feature parameter (RFC 3840 section 9).
struct FeatureSet {
    private var values: [(text: String, isNegated: Bool)] = []

    /// A parameter without a value is TRUE.
    ///
    /// Several values stand between commas in one quoted string.
    init(_ parameter: Parameter) {
        guard let text = parameter.value else {
            self.values = [("TRUE", false)]
            return
        }
        for part in text.split(separator: ",").prefix(SIPLimits.listItems) {
            var item = part.drop { $0 == " " }
            while item.last == " " { item = item.dropLast() }
            let isNegated = item.first == "!"
            if isNegated { item = item.dropFirst() }
            // Feature references are escaped in some places and not in others.
            let bytes = PercentEncoding.decode(String(item).utf8) ?? Array(item.utf8)
            self.values.append((String(decoding: bytes, as: UTF8.self), isNegated))
        }
    }

    func intersects(_ other: FeatureSet) -> Bool {
        self.values.contains { left in
            other.values.contains { right in
                if left.isNegated, right.isNegated { return true }
                return Self.equal(left.text, right.text) != (left.isNegated || right.isNegated)
            }
        }
    }

    /// String values stand between angle brackets and keep their case; token values do not (RFC 3840 section 9).
    private static func equal(_ left: String, _ right: String) -> Bool {
        if left.hasPrefix("#"), right.hasPrefix("#") { return Self.numbersIntersect(left, right) }
        return left.hasPrefix("<") ? left == right : ASCII.equalIgnoringCase(left, right)
    }

    /// Numeric values: `#=5`, `#>=4`, `#<=6` or a range `#4:6`.
    private static func numbersIntersect(_ left: String, _ right: String) -> Bool {
        guard let first = Self.range(left), let second = Self.range(right) else { return left == right }
        return first.overlaps(second)
    }

    private static func range(_ text: String) -> ClosedRange<Double>? {
        let body = text.dropFirst()
        if body.hasPrefix(">="), let value = Double(body.dropFirst(2)), value.isFinite {
            return value...Double.greatestFiniteMagnitude
        }
        if body.hasPrefix("<="), let value = Double(body.dropFirst(2)), value.isFinite {
            return -Double.greatestFiniteMagnitude...value
        }
        if body.hasPrefix("="), let value = Double(body.dropFirst()), value.isFinite { return value...value }
        let parts = body.split(separator: ":")
        guard parts.count == 2, let low = Double(parts[0]), let high = Double(parts[1]), low.isFinite, high.isFinite,
            low <= high
        else { return nil }
        return low...high
    }
}

/// Directives of Request-Disposition (RFC 3841 section 9.1).
public struct RequestDisposition: Sendable, Hashable {
    /// The directives in lower case.
    public let directives: Set<String>

    /// Reads the header field of a request.
    ///
    /// - Throws: ``SIPError/Code/malformedHeaderValue``.
    public init(_ request: SIPMessage) throws(SIPError) {
        self.directives = Set(try request.list(.requestDisposition, as: Token.self).map { ASCII.lowercased($0.text) })
    }

    /// Whether the request may go to several places; they may unless `no-fork` stands there.
    public var allowsForking: Bool { !self.directives.contains("no-fork") }
    /// Whether the places are to be tried one after the other.
    public var isSequential: Bool { self.directives.contains("sequential") }
    /// Whether the caller wants to be redirected rather than proxied.
    public var wantsRedirect: Bool { self.directives.contains("redirect") }
    /// Whether the caller does not want other branches cancelled.
    public var keepsBranches: Bool { self.directives.contains("no-cancel") }
    /// Whether a redirection of the callee is not to be followed.
    public var forbidsRecursion: Bool { self.directives.contains("no-recurse") }
}
