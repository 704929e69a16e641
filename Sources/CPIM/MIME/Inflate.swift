/// Undoes the deflate compression of RFC 1951 in the wrapping of RFC 1950, within a bound on what comes out.
public enum Inflate {
    /// Inflates content in the zlib format.
    ///
    /// - Parameter maximumBytes: the largest result; more is an error, so that a small message cannot fill memory.
    /// - Throws: ``CPIMError`` with code `invalidCompression` when the content is damaged or cut, with
    ///   `contentTooLarge` when the result would be larger than allowed.
    public static func zlib(_ bytes: ArraySlice<UInt8>, maximumBytes: Int) throws(CPIMError) -> [UInt8] {
        guard bytes.count >= 6 else {
            throw CPIMError(.invalidCompression, "a zlib header and checksum", offset: bytes.endIndex)
        }
        let first = bytes[bytes.startIndex]
        let second = bytes[bytes.startIndex + 1]
        guard first & 0x0F == 8, first >> 4 <= 7, (Int(first) << 8 | Int(second)) % 31 == 0 else {
            throw CPIMError(.invalidCompression, "a zlib header", offset: bytes.startIndex)
        }
        guard second & 0x20 == 0 else {
            throw CPIMError(.invalidCompression, "no preset dictionary", offset: bytes.startIndex + 1)
        }
        var inflater = Inflater(bytes: bytes.dropFirst(2), maximumBytes: maximumBytes)
        try inflater.run()
        var checksum: UInt32 = 0
        for _ in 0..<4 { checksum = checksum << 8 | UInt32(try inflater.alignedByte()) }
        guard checksum == self.adler32(inflater.output) else {
            throw CPIMError(.invalidCompression, "the checksum of the content", offset: inflater.position)
        }
        return inflater.output
    }

    /// Wraps content in the zlib format without making it smaller, for peers that ask for `deflate`.
    public static func storedZlib(_ bytes: [UInt8]) -> [UInt8] {
        var output: [UInt8] = [0x78, 0x01]
        let chunk = 65_535
        var start = 0
        repeat {
            let end = min(start + chunk, bytes.count)
            let count = UInt16(end - start)
            output.append(end == bytes.count ? 1 : 0)
            output.append(contentsOf: [
                UInt8(count & 0xFF), UInt8(count >> 8), UInt8(~count & 0xFF), UInt8(~count >> 8),
            ])
            output.append(contentsOf: bytes[start..<end])
            start = end
        } while start < bytes.count
        let checksum = self.adler32(bytes)
        output.append(contentsOf: [24, 16, 8, 0].map { UInt8(checksum >> UInt32($0) & 0xFF) })
        return output
    }

    static func adler32(_ bytes: [UInt8]) -> UInt32 {
        var low: UInt32 = 1
        var high: UInt32 = 0
        for byte in bytes {
            low = (low + UInt32(byte)) % 65_521
            high = (high + low) % 65_521
        }
        return high << 16 | low
    }
}

/// Reads the blocks of a deflate stream.
struct Inflater {
    private let bytes: ArraySlice<UInt8>
    private let maximumBytes: Int
    private(set) var position: Int
    private(set) var output: [UInt8] = []
    private var bits: UInt32 = 0
    private var bitCount = 0

    init(bytes: ArraySlice<UInt8>, maximumBytes: Int) {
        self.bytes = bytes
        self.maximumBytes = maximumBytes
        self.position = bytes.startIndex
    }

    private func damaged(_ expected: String) -> CPIMError {
        CPIMError(.invalidCompression, expected, offset: self.position)
    }

    mutating func run() throws(CPIMError) {
        var isLast = false
        while !isLast {
            isLast = try self.take(1) == 1
            switch try self.take(2) {
            case 0: try self.copyStored()
            case 1: try self.inflate(literals: .fixedLiterals, distances: .fixedDistances)
            case 2:
                let (literals, distances) = try self.readTables()
                try self.inflate(literals: literals, distances: distances)
            default: throw self.damaged("a block type")
            }
        }
    }

    /// Takes up to 16 bits, the first the least significant.
    private mutating func take(_ count: Int) throws(CPIMError) -> Int {
        while self.bitCount < count {
            guard self.position < self.bytes.endIndex else { throw self.damaged("more content") }
            self.bits |= UInt32(self.bytes[self.position]) << UInt32(self.bitCount)
            self.position += 1
            self.bitCount += 8
        }
        let value = self.bits & (1 << UInt32(count) - 1)
        self.bits >>= UInt32(count)
        self.bitCount -= count
        return Int(value)
    }

    /// Takes an octet at an octet boundary; bits left of the octet before are dropped.
    mutating func alignedByte() throws(CPIMError) -> UInt8 {
        _ = try self.take(self.bitCount % 8)
        return UInt8(try self.take(8))
    }

    private mutating func append(_ byte: UInt8) throws(CPIMError) {
        guard self.output.count < self.maximumBytes else {
            throw CPIMError(.contentTooLarge, "at most \(self.maximumBytes) octets", offset: self.position)
        }
        self.output.append(byte)
    }

    private mutating func copyStored() throws(CPIMError) {
        let count = Int(try self.alignedByte()) | Int(try self.alignedByte()) << 8
        let check = Int(try self.alignedByte()) | Int(try self.alignedByte()) << 8
        guard count == ~check & 0xFFFF else { throw self.damaged("a length and its complement") }
        for _ in 0..<count { try self.append(try self.alignedByte()) }
    }

    private mutating func symbol(_ code: PrefixCode) throws(CPIMError) -> Int {
        var value = 0
        var first = 0
        var index = 0
        for length in 1...PrefixCode.maximumLength {
            value |= try self.take(1)
            let count = code.counts[length]
            if value - first < count { return code.symbols[index + value - first] }
            index += count
            first = (first + count) << 1
            value <<= 1
        }
        throw self.damaged("a code")
    }

    private mutating func inflate(literals: PrefixCode, distances: PrefixCode) throws(CPIMError) {
        while true {
            let symbol = try self.symbol(literals)
            if symbol < 256 {
                try self.append(UInt8(symbol))
                continue
            }
            if symbol == 256 { return }
            guard symbol - 257 < Self.lengthBases.count else { throw self.damaged("a length") }
            let length = Self.lengthBases[symbol - 257] + (try self.take(Self.lengthBits[symbol - 257]))
            let code = try self.symbol(distances)
            guard code < Self.distanceBases.count else { throw self.damaged("a distance") }
            let distance = Self.distanceBases[code] + (try self.take(Self.distanceBits[code]))
            guard distance <= self.output.count else { throw self.damaged("a distance within the content") }
            for _ in 0..<length { try self.append(self.output[self.output.count - distance]) }
        }
    }

    private mutating func readTables() throws(CPIMError) -> (literals: PrefixCode, distances: PrefixCode) {
        let literalCount = try self.take(5) + 257
        let distanceCount = try self.take(5) + 1
        let codeCount = try self.take(4) + 4
        guard literalCount <= 286, distanceCount <= 30 else { throw self.damaged("at most 286 and 30 codes") }
        var codeLengths = [Int](repeating: 0, count: 19)
        for place in Self.codeLengthOrder.prefix(codeCount) { codeLengths[place] = try self.take(3) }
        guard let code = PrefixCode(lengths: codeLengths) else { throw self.damaged("a complete code") }
        var lengths: [Int] = []
        while lengths.count < literalCount + distanceCount {
            let symbol = try self.symbol(code)
            switch symbol {
            case 0...15: lengths.append(symbol)
            case 16:
                guard let last = lengths.last else { throw self.damaged("a length to repeat") }
                lengths.append(contentsOf: repeatElement(last, count: 3 + (try self.take(2))))
            case 17: lengths.append(contentsOf: repeatElement(0, count: 3 + (try self.take(3))))
            default: lengths.append(contentsOf: repeatElement(0, count: 11 + (try self.take(7))))
            }
        }
        guard lengths.count == literalCount + distanceCount, lengths[256] > 0,
            let literals = PrefixCode(lengths: Array(lengths[..<literalCount])),
            let distances = PrefixCode(lengths: Array(lengths[literalCount...]))
        else { throw self.damaged("complete codes") }
        return (literals, distances)
    }

    private static let codeLengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
    private static let lengthBases = [
        3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227,
        258,
    ]
    private static let lengthBits = [
        0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
    ]
    private static let distanceBases = [
        1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097,
        6145, 8193, 12_289, 16_385, 24_577,
    ]
    private static let distanceBits = [
        0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
    ]
}

/// A canonical prefix code, held as the number of codes of each length and the symbols in order.
struct PrefixCode {
    static let maximumLength = 15

    let counts: [Int]
    let symbols: [Int]

    /// Makes a code from the length of each symbol's code; nil when more codes are asked for than there are.
    init?(lengths: [Int]) {
        var counts = [Int](repeating: 0, count: Self.maximumLength + 1)
        for length in lengths { counts[length] += 1 }
        counts[0] = 0
        var left = 1
        for length in 1...Self.maximumLength {
            left = left << 1 - counts[length]
            guard left >= 0 else { return nil }
        }
        var offsets = [Int](repeating: 0, count: Self.maximumLength + 2)
        for length in 1...Self.maximumLength { offsets[length + 1] = offsets[length] + counts[length] }
        var symbols = [Int](repeating: 0, count: offsets[Self.maximumLength + 1])
        for (symbol, length) in lengths.enumerated() where length > 0 {
            symbols[offsets[length]] = symbol
            offsets[length] += 1
        }
        self.counts = counts
        self.symbols = symbols
    }

    private init(validLengths lengths: [Int]) {
        self = PrefixCode(lengths: lengths) ?? PrefixCode(empty: ())
    }

    private init(empty: Void) {
        self.counts = [Int](repeating: 0, count: Self.maximumLength + 1)
        self.symbols = []
    }

    /// The code of literals and lengths of blocks of type 1.
    static let fixedLiterals = PrefixCode(
        validLengths: [Int](repeating: 8, count: 144) + [Int](repeating: 9, count: 112)
            + [Int](repeating: 7, count: 24) + [Int](repeating: 8, count: 8)
    )
    /// The code of distances of blocks of type 1.
    static let fixedDistances = PrefixCode(validLengths: [Int](repeating: 5, count: 30))
}
