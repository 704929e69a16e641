internal import ByteGrammar

/// The parts of a `multipart/*` entity (RFC 2046 section 5.1).
public struct Multipart: Sendable, Hashable {
    /// The subtype: `mixed`, `related`, `signed` and so on; it is printed as given.
    public var subtype: String
    /// The parameters of the Content-Type without the boundary, such as `start` and `type` of `related`.
    public var parameters: [MediaType.Parameter]
    /// The delimiter between the parts.
    public var boundary: String
    /// The parts.
    public var parts: [MIMEEntity]

    /// Makes a multipart.
    ///
    /// - Parameter boundary: 1 to 70 characters that occur in no part; pass one from ``boundary(for:seed:)``.
    public init(
        subtype: String,
        parameters: [MediaType.Parameter] = [],
        boundary: String,
        parts: [MIMEEntity]
    ) {
        self.subtype = subtype
        self.parameters = parameters
        self.boundary = boundary
        self.parts = parts
    }

    /// Reads the parts of an entity; what stands before the first and after the last is passed over.
    ///
    /// Parts that are multiparts themselves stay undivided; see ``MIMEEntity/leaves(limits:)`` to go down.
    ///
    /// - Throws: ``CPIMError`` when the entity is no multipart, has no legal boundary or no closing delimiter, a part
    ///   has a bad header, or a limit is passed.
    public init(_ entity: MIMEEntity, limits: CPIMLimits = .standard) throws(CPIMError) {
        guard let type = entity.mediaType, type.type == "multipart" else {
            throw CPIMError(.unexpectedType, "multipart/*")
        }
        guard let boundary = type.parameter("boundary"), (1...70).contains(boundary.utf8.count),
            boundary.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }), boundary.utf8.last != 0x20
        else { throw CPIMError(.invalidBoundary, "a boundary of 1 to 70 characters") }
        self.init(
            subtype: type.subtype,
            parameters: type.parameters.filter { $0.name != "boundary" },
            boundary: boundary,
            parts: []
        )
        let bytes = Array(entity.body)
        let delimiter = Array("--\(boundary)".utf8)
        var scanner = LineScanner(bytes)
        var partStart: Int?
        while let line = scanner.next() {
            guard let isLast = Self.delimiter(bytes[line.range], delimiter) else { continue }
            if let start = partStart {
                guard self.parts.count < limits.maximumParts else {
                    throw CPIMError(.tooManyParts, "at most \(limits.maximumParts) parts", offset: start)
                }
                let end = Self.endOfPart(bytes, before: line.range.lowerBound, from: start)
                self.parts.append(try MIMEEntity(parsing: bytes, from: start, to: end, limits: limits))
            }
            if isLast { return }
            partStart = scanner.position
        }
        throw CPIMError(.unterminatedMultipart, "--\(boundary)--", offset: bytes.count)
    }

    /// Tells whether a line is a delimiter, and then whether it is the closing one; nil when it is neither.
    private static func delimiter(_ line: ArraySlice<UInt8>, _ delimiter: [UInt8]) -> Bool? {
        guard line.starts(with: delimiter) else { return nil }
        var rest = line.dropFirst(delimiter.count)
        let isLast = rest.starts(with: [0x2D, 0x2D])
        if isLast { rest = rest.dropFirst(2) }
        return rest.allSatisfy(ByteText.isBlank) ? isLast : nil
    }

    /// The line end before a delimiter belongs to the delimiter.
    private static func endOfPart(_ bytes: [UInt8], before delimiter: Int, from start: Int) -> Int {
        var end = delimiter
        if end > start, bytes[end - 1] == 0x0A { end -= 1 }
        if end > start, bytes[end - 1] == 0x0D { end -= 1 }
        return end
    }

    /// The media type with the boundary.
    public var mediaType: MediaType {
        MediaType(
            type: "multipart",
            subtype: self.subtype,
            parameters: self.parameters + [MediaType.Parameter(name: "boundary", value: self.boundary)]
        )
    }

    /// The body in octets.
    public var body: [UInt8] {
        var output: [UInt8] = []
        for part in self.parts {
            output.append(contentsOf: "--\(self.boundary)\r\n".utf8)
            part.write(to: &output)
            output.append(contentsOf: [0x0D, 0x0A])
        }
        output.append(contentsOf: "--\(self.boundary)--\r\n".utf8)
        return output
    }

    /// The multipart as an entity.
    public var entity: MIMEEntity { MIMEEntity(contentType: self.mediaType.description, body: self.body) }

    /// Makes a boundary that no part contains, from a seed such as a random token.
    public static func boundary(for parts: [MIMEEntity], seed: String) -> String {
        let stem = String(seed.filter { $0.isASCII && ($0.isLetter || $0.isNumber) }.prefix(48))
        var number = 0
        while true {
            let candidate = number == 0 ? "b\(stem)" : "b\(stem)-\(number)"
            let needle = Array("--\(candidate)".utf8)
            if !parts.contains(where: { Self.contains(needle, in: $0.bytes) }) { return candidate }
            number += 1
        }
    }

    private static func contains(_ needle: [UInt8], in bytes: [UInt8]) -> Bool {
        bytes.indices.contains { bytes[$0] == needle[0] && bytes[$0...].starts(with: needle) }
    }

    /// The part that `related` begins with: that of the `start` parameter, else the first (RFC 2387 section 3.2).
    public var root: MIMEEntity? {
        let start = self.parameters.first { $0.name == "start" }?.value
        return start.flatMap { start in self.parts.first { $0.header("Content-ID") == start } } ?? self.parts.first
    }
}

extension MIMEEntity {
    /// The entities that are no multipart, at any depth, in order; the entity itself when it is none.
    ///
    /// - Throws: ``CPIMError`` when a multipart is broken or nested deeper than the limit.
    public func leaves(limits: CPIMLimits = .standard) throws(CPIMError) -> [MIMEEntity] {
        try self.leaves(limits: limits, depth: 0)
    }

    private func leaves(limits: CPIMLimits, depth: Int) throws(CPIMError) -> [MIMEEntity] {
        guard self.mediaType?.type == "multipart" else { return [self] }
        guard depth < limits.maximumDepth else {
            throw CPIMError(.tooDeep, "at most \(limits.maximumDepth) levels of multipart")
        }
        var leaves: [MIMEEntity] = []
        for part in try Multipart(self, limits: limits).parts {
            leaves.append(contentsOf: try part.leaves(limits: limits, depth: depth + 1))
        }
        return leaves
    }
}
