/// Finds the end-line of a frame in its body: CRLF, seven hyphens, the transaction id, a flag, CRLF
/// (RFC 4975 section 7.1).
///
/// A body may hold anything, so the search has to be fast on all of it and linear on the worst of it. Seven hyphens
/// in a row cannot hide between probes seven octets apart; only where a probe hits a hyphen is the run around it
/// looked at, and each run once.
enum EndLine {
    static let hyphens = 7
    /// The octets of an end-line apart from the transaction id: CRLF, hyphens, flag, CRLF.
    static let overhead = 2 + Self.hyphens + 1 + 2

    enum Search: Equatable {
        /// No end-line so far; the first `safe` octets are body, what follows may be the start of an end-line.
        case none(safe: Int)
        /// The body ends before `bodyEnd`, the next frame starts at `next`.
        case found(bodyEnd: Int, next: Int, flag: Continuation)
    }

    /// What there is at a run of hyphens.
    private enum Candidate {
        case no
        case cutShort
        case yes(next: Int, flag: Continuation)
    }

    /// Searches a body.
    ///
    /// - Parameter atStart: the first octet is the first of the body, where a sender that writes an empty body may
    ///   leave out the CRLF before the end-line.
    static func search(_ bytes: Span<UInt8>, id: Span<UInt8>, atStart: Bool) -> Search {
        if atStart {
            switch self.candidate(in: bytes, at: 0, id: id) {
            case .yes(let next, let flag): return .found(bodyEnd: 0, next: next, flag: flag)
            case .cutShort: return .none(safe: 0)
            case .no: break
            }
        }
        var probe = 2 + self.hyphens - 1
        var runFloor = 2
        while probe < bytes.count {
            guard bytes[probe] == ASCII.hyphen else {
                probe += self.hyphens
                continue
            }
            let run = self.run(in: bytes, around: probe, floor: runFloor)
            if run.lowerBound >= 2, bytes[run.lowerBound - 1] == ASCII.lf, bytes[run.lowerBound - 2] == ASCII.cr {
                switch self.candidate(in: bytes, at: run.lowerBound, id: id) {
                case .yes(let next, let flag): return .found(bodyEnd: run.lowerBound - 2, next: next, flag: flag)
                case .cutShort: return .none(safe: run.lowerBound - 2)
                case .no: break
                }
            }
            runFloor = run.upperBound
            probe = run.upperBound + self.hyphens
        }
        return .none(safe: bytes.count - self.openTail(of: bytes))
    }

    /// Whether the octets could be taken for an end-line of that id, in a chunk whose body they are or become.
    static func occurs(in bytes: Span<UInt8>, id: Span<UInt8>) -> Bool {
        var probe = self.hyphens - 1
        var runFloor = 0
        while probe < bytes.count {
            guard bytes[probe] == ASCII.hyphen else {
                probe += self.hyphens
                continue
            }
            let run = self.run(in: bytes, around: probe, floor: runFloor)
            if run.count >= self.hyphens, bytes.matches(id, at: run.upperBound) { return true }
            runFloor = run.upperBound
            probe = run.upperBound + self.hyphens
        }
        return false
    }

    /// The hyphens in a row around one of them.
    private static func run(in bytes: Span<UInt8>, around probe: Int, floor: Int) -> Range<Int> {
        var lower = probe
        while lower > floor, bytes[lower - 1] == ASCII.hyphen { lower -= 1 }
        var upper = probe + 1
        while upper < bytes.count, bytes[upper] == ASCII.hyphen { upper += 1 }
        return lower..<upper
    }

    /// Looks at what may be an end-line whose hyphens start at `start`.
    private static func candidate(in bytes: Span<UInt8>, at start: Int, id: Span<UInt8>) -> Candidate {
        var index = start
        while index < start + self.hyphens {
            guard index < bytes.count else { return .cutShort }
            guard bytes[index] == ASCII.hyphen else { return .no }
            index += 1
        }
        for position in 0..<id.count {
            guard index < bytes.count else { return .cutShort }
            guard bytes[index] == id[position] else { return .no }
            index += 1
        }
        guard index < bytes.count else { return .cutShort }
        guard let flag = Continuation(rawValue: bytes[index]) else { return .no }
        index += 1
        for expected in [ASCII.cr, ASCII.lf] {
            guard index < bytes.count else { return .cutShort }
            guard bytes[index] == expected else { return .no }
            index += 1
        }
        return .yes(next: index, flag: flag)
    }

    /// How many octets at the end may be CRLF and the first hyphens of an end-line. (More than that starts with seven
    /// hyphens, which the probes have seen.)
    private static func openTail(of bytes: Span<UInt8>) -> Int {
        var hyphens = 0
        while hyphens < self.hyphens, hyphens < bytes.count, bytes[bytes.count - 1 - hyphens] == ASCII.hyphen {
            hyphens += 1
        }
        let end = bytes.count - hyphens
        if end >= 2, bytes[end - 1] == ASCII.lf, bytes[end - 2] == ASCII.cr { return hyphens + 2 }
        if hyphens == 0, end >= 1, bytes[end - 1] == ASCII.cr { return 1 }
        return 0
    }
}
