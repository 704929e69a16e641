/// Walks over the packets of a pcap or pcapng file.
struct CaptureFile {
    /// A captured packet with the kind of link it was seen on.
    struct Packet {
        var bytes: ArraySlice<UInt8>
        var link: UInt32
    }

    /// The kinds of file, told from their first octets.
    enum Format {
        case pcap(isBigEndian: Bool)
        case pcapng

        init?(_ bytes: [UInt8]) {
            switch bytes.prefix(4) {
            case [0xA1, 0xB2, 0xC3, 0xD4], [0xA1, 0xB2, 0x3C, 0x4D]: self = .pcap(isBigEndian: true)
            case [0xD4, 0xC3, 0xB2, 0xA1], [0x4D, 0x3C, 0xB2, 0xA1]: self = .pcap(isBigEndian: false)
            case [0x0A, 0x0D, 0x0D, 0x0A]: self = .pcapng
            default: return nil
            }
        }
    }

    private let bytes: [UInt8]
    private let format: Format
    private(set) var position: Int
    private var isBigEndian: Bool
    /// The links of the interfaces of the current section; pcap has one.
    private var links: [UInt32] = []

    init(_ bytes: [UInt8]) throws(CaptureError) {
        guard let format = Format(bytes) else {
            throw CaptureError(.unknownFormat, "a pcap or pcapng file", offset: 0)
        }
        self.bytes = bytes
        self.format = format
        switch format {
        case .pcap(let isBigEndian):
            guard bytes.count >= 24 else { throw CaptureError(.malformed, "a header of 24 octets", offset: 0) }
            self.isBigEndian = isBigEndian
            self.position = 24
            // The upper bits of the link type say how long a checksum follows each packet.
            self.links = [Self.number(bytes, at: 20, isBigEndian: isBigEndian) & 0x0FFF_FFFF]
        case .pcapng:
            self.isBigEndian = false
            self.position = 0
        }
    }

    private static func number(_ bytes: [UInt8], at index: Int, isBigEndian: Bool) -> UInt32 {
        let octets = bytes[index..<index + 4]
        return (isBigEndian ? Array(octets) : octets.reversed()).reduce(0) { $0 << 8 | UInt32($1) }
    }

    private func number(at index: Int) -> UInt32 { Self.number(self.bytes, at: index, isBigEndian: self.isBigEndian) }

    mutating func next() throws(CaptureError) -> Packet? {
        switch self.format {
        case .pcap: return self.nextRecord()
        case .pcapng:
            while let block = try self.nextBlock() {
                if let packet = block { return packet }
            }
            return nil
        }
    }

    private mutating func nextRecord() -> Packet? {
        guard self.bytes.count - self.position >= 16 else { return nil }
        let length = Int(self.number(at: self.position + 8))
        let start = self.position + 16
        guard length <= self.bytes.count - start else { return nil }
        self.position = start + length
        return Packet(bytes: self.bytes[start..<self.position], link: self.links[0])
    }

    /// Reads a block: nil at the end, a packet if the block holds one.
    private mutating func nextBlock() throws(CaptureError) -> Packet?? {
        let start = self.position
        guard self.bytes.count - start >= 12 else { return nil }
        let isSection = self.bytes[start..<start + 4] == [0x0A, 0x0D, 0x0D, 0x0A]
        if isSection {
            switch self.bytes[start + 8..<start + 12] {
            case [0x1A, 0x2B, 0x3C, 0x4D]: self.isBigEndian = true
            case [0x4D, 0x3C, 0x2B, 0x1A]: self.isBigEndian = false
            default: throw CaptureError(.malformed, "the mark of the byte order", offset: start + 8)
            }
            self.links = []
        }
        let length = Int(self.number(at: start + 4))
        guard length >= 12, length % 4 == 0 else {
            throw CaptureError(.malformed, "a block length of at least 12, in fours", offset: start + 4)
        }
        guard length <= self.bytes.count - start else { return nil }
        self.position = start + length
        guard !isSection else { return .some(nil) }
        switch self.number(at: start) {
        case 1 where length >= 20:
            let link = self.bytes[start + 8..<start + 10]
            let octets = self.isBigEndian ? Array(link) : link.reversed()
            self.links.append(UInt32(octets[0]) << 8 | UInt32(octets[1]))
            return .some(nil)
        case 6 where length >= 32:
            let interface = Int(self.number(at: start + 8))
            let captured = Int(self.number(at: start + 20))
            guard interface < self.links.count, captured <= length - 32 else {
                throw CaptureError(.malformed, "a known interface and a length within the block", offset: start)
            }
            let data = self.bytes[start + 28..<start + 28 + captured]
            return Packet(bytes: data, link: self.links[interface])
        case 3 where length >= 16:
            guard let link = self.links.first else {
                throw CaptureError(.malformed, "an interface before a packet", offset: start)
            }
            let original = Int(self.number(at: start + 8))
            return Packet(bytes: self.bytes[start + 12..<start + 12 + min(original, length - 16)], link: link)
        default: return .some(nil)
        }
    }
}
