import CPIM

/// Takes a `message/cpim` apart as it arrives: its head, then each part with its octets.
///
/// Pure; what is kept back is bounded by the longest head and the length of a boundary.
struct ContentReader {
    enum Event: Equatable {
        /// The headers of the message, and of its content.
        case head(CPIMMessage)
        /// A part begins: its headers.
        case part(MIMEEntity)
        case bytes(ArraySlice<UInt8>)
        case endOfPart
    }

    private enum Phase {
        case head
        /// Everything is one part.
        case single
        case preamble(delimiter: [UInt8])
        case delimiterTail(delimiter: [UInt8])
        case partHead(delimiter: [UInt8])
        /// The end of the empty line stands in front: it may be the beginning of the next delimiter.
        case partStart(delimiter: [UInt8])
        case partBody(delimiter: [UInt8])
        case epilogue
    }

    static let maximumHeadBytes = 64 << 10
    private static let emptyLine: [UInt8] = [13, 10, 13, 10]

    private var phase = Phase.head
    private var buffer: [UInt8] = []
    private var parts = 0
    private let maximumParts: Int

    init(maximumParts: Int) { self.maximumParts = maximumParts }

    /// Takes the next octets.
    /// - Throws: ``CPIMError`` when they are no message, or a limit is passed.
    mutating func feed(_ bytes: some Collection<UInt8>) throws(CPIMError) -> [Event] {
        buffer.append(contentsOf: bytes)
        var events: [Event] = []
        while try step(&events) {}
        return events
    }

    /// All of it is there.
    /// - Throws: ``CPIMError`` when something is missing.
    mutating func finish() throws(CPIMError) -> [Event] {
        switch phase {
        case .single: return [.endOfPart]
        case .epilogue: return []
        case .head: throw CPIMError(.missingSeparator, "an empty line after the headers")
        case .preamble, .delimiterTail, .partHead, .partStart, .partBody:
            throw CPIMError(.unterminatedMultipart, "a closing delimiter")
        }
    }

    private mutating func step(_ events: inout [Event]) throws(CPIMError) -> Bool {
        switch phase {
        case .head: return try takeHead(&events)
        case .single:
            if !buffer.isEmpty { events.append(.bytes(takeAll())) }
            return false
        case .preamble(let delimiter):
            guard let found = buffer.firstRange(of: delimiter) else {
                buffer.removeFirst(max(0, buffer.count - delimiter.count))
                return false
            }
            buffer.removeFirst(found.upperBound)
            phase = .delimiterTail(delimiter: delimiter)
            return true
        case .delimiterTail(let delimiter): return try takeDelimiterTail(delimiter)
        case .partHead(let delimiter): return try takePartHead(delimiter, &events)
        case .partStart(let delimiter):
            // An empty part ends where its delimiter begins.
            let isEmpty = buffer.starts(with: delimiter)
            guard isEmpty || !delimiter.starts(with: buffer) else { return false }
            if !isEmpty { buffer.removeFirst(2) }
            phase = .partBody(delimiter: delimiter)
            return true
        case .partBody(let delimiter):
            guard let found = buffer.firstRange(of: delimiter) else {
                // What might be the beginning of a delimiter stays.
                let ready = buffer.count - delimiter.count
                if ready > 0 {
                    events.append(.bytes(buffer[..<ready]))
                    buffer.removeFirst(ready)
                }
                return false
            }
            if found.lowerBound > 0 { events.append(.bytes(buffer[..<found.lowerBound])) }
            events.append(.endOfPart)
            buffer.removeFirst(found.upperBound)
            phase = .delimiterTail(delimiter: delimiter)
            return true
        case .epilogue:
            buffer = []
            return false
        }
    }

    private mutating func takeAll() -> ArraySlice<UInt8> {
        defer { buffer = [] }
        return buffer[...]
    }

    private mutating func takeHead(_ events: inout [Event]) throws(CPIMError) -> Bool {
        // Two blocks of headers: the message's and its content's; the second may be empty.
        guard let first = buffer.firstRange(of: Self.emptyLine),
            let second = buffer[(first.lowerBound + 2)...].firstRange(of: Self.emptyLine)
        else {
            try checkHead()
            return false
        }
        let message = try CPIMMessage(parsing: Array(buffer[..<second.upperBound]))
        events.append(.head(message))
        buffer.removeFirst(second.upperBound)
        let type = message.content.effectiveMediaType
        guard type.type == "multipart" else {
            events.append(.part(message.content))
            phase = .single
            return true
        }
        guard let boundary = type.parameter("boundary"), (1...70).contains(boundary.utf8.count) else {
            throw CPIMError(.invalidBoundary, "1 to 70 characters")
        }
        // The first delimiter may stand at the very beginning.
        buffer.insert(contentsOf: [13, 10], at: 0)
        phase = .preamble(delimiter: Array("\r\n--\(boundary)".utf8))
        return true
    }

    private mutating func takeDelimiterTail(_ delimiter: [UInt8]) throws(CPIMError) -> Bool {
        guard buffer.count >= 2 else { return false }
        if buffer.starts(with: [UInt8(ascii: "-"), UInt8(ascii: "-")]) {
            phase = .epilogue
            return true
        }
        guard let end = buffer.firstRange(of: [13, 10]) else {
            try checkHead()
            return false
        }
        guard buffer[..<end.lowerBound].allSatisfy({ $0 == 0x20 || $0 == 0x09 }) else {
            throw CPIMError(.invalidBoundary, "a line end after the delimiter")
        }
        parts += 1
        guard parts <= maximumParts else { throw CPIMError(.tooManyParts, "at most \(maximumParts) parts") }
        // The line end stays: it is the empty line of a part without headers.
        buffer.removeFirst(end.lowerBound)
        phase = .partHead(delimiter: delimiter)
        return true
    }

    private mutating func takePartHead(_ delimiter: [UInt8], _ events: inout [Event]) throws(CPIMError) -> Bool {
        guard let end = buffer.firstRange(of: Self.emptyLine) else {
            try checkHead()
            return false
        }
        events.append(.part(try MIMEEntity(parsing: Array(buffer[2..<max(2, end.lowerBound)]) + Self.emptyLine)))
        buffer.removeFirst(end.upperBound - 2)
        phase = .partStart(delimiter: delimiter)
        return true
    }

    private func checkHead() throws(CPIMError) {
        guard buffer.count <= Self.maximumHeadBytes else {
            throw CPIMError(.headerTooLong, "headers of at most \(Self.maximumHeadBytes) octets")
        }
    }
}

extension Collection<UInt8> where SubSequence: Collection<UInt8> {
    /// Where these octets stand first.
    fileprivate func firstRange(of pattern: [UInt8]) -> Range<Index>? {
        var start = startIndex
        while let candidate = self[start...].firstIndex(of: pattern[0]) {
            let rest = self[candidate...]
            if rest.starts(with: pattern) { return candidate..<index(candidate, offsetBy: pattern.count) }
            start = index(after: candidate)
        }
        return nil
    }
}
