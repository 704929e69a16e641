/// A UDP datagram or TCP segment out of a captured packet.
struct Segment {
    /// What TCP adds.
    struct TCP {
        var sequence: UInt32
        var isStart: Bool
        var isEnd: Bool
    }

    let source: Capture.Endpoint
    let destination: Capture.Endpoint
    /// Nil for UDP.
    let tcp: TCP?
    let payload: ArraySlice<UInt8>

    /// Finds the segment in a packet; nil when it holds none, or only a fragment of one.
    init?(_ packet: ArraySlice<UInt8>, link: UInt32) {
        guard let network = Self.network(packet, link: link), let version = network.first.map({ $0 >> 4 }) else {
            return nil
        }
        switch version {
        case 4: self.init(v4: network)
        case 6: self.init(v6: network)
        default: return nil
        }
    }

    /// Takes the header of the link off; the numbers are those of the registry of link types.
    private static func network(_ packet: ArraySlice<UInt8>, link: UInt32) -> ArraySlice<UInt8>? {
        switch link {
        case 0, 108: return packet.count > 4 ? packet.dropFirst(4) : nil
        case 1:
            var rest = packet.dropFirst(12)
            // Tags of VLANs stand before the type.
            while rest.starts(with: [0x81, 0x00]) || rest.starts(with: [0x88, 0xA8]) { rest = rest.dropFirst(4) }
            guard rest.starts(with: [0x08, 0x00]) || rest.starts(with: [0x86, 0xDD]) else { return nil }
            return rest.dropFirst(2)
        case 12, 14, 101, 228, 229: return packet
        case 113: return packet.dropFirst(16)
        case 276: return packet.dropFirst(20)
        default: return nil
        }
    }

    private static func number(_ slice: ArraySlice<UInt8>, at offset: Int, count: Int) -> UInt32 {
        slice.dropFirst(offset).prefix(count).reduce(0) { $0 << 8 | UInt32($1) }
    }

    private init?(v4 packet: ArraySlice<UInt8>) {
        guard let first = packet.first, packet.count >= 20 else { return nil }
        let headerLength = Int(first & 0x0F) * 4
        let total = Int(Self.number(packet, at: 2, count: 2))
        // A total of 0 is left to the card by a sender whose packet was captured before it went out.
        let length = total == 0 ? packet.count : total
        let fragment = Self.number(packet, at: 6, count: 2) & 0x3FFF
        guard headerLength >= 20, length >= headerLength, packet.count >= headerLength, fragment == 0 else {
            return nil
        }
        self.init(
            protocolNumber: UInt8(Self.number(packet, at: 9, count: 1)),
            from: Array(packet.dropFirst(12).prefix(4)),
            to: Array(packet.dropFirst(16).prefix(4)),
            packet.prefix(length).dropFirst(headerLength)
        )
    }

    private init?(v6 packet: ArraySlice<UInt8>) {
        guard packet.count >= 40 else { return nil }
        let payloadLength = Int(Self.number(packet, at: 4, count: 2))
        var next = UInt8(Self.number(packet, at: 6, count: 1))
        var rest = packet.dropFirst(40)
        if payloadLength > 0 { rest = rest.prefix(payloadLength) }
        // Options for hops, routes and destinations stand between; fragments do not concern us.
        while [0, 43, 60].contains(next), rest.count >= 8 {
            next = UInt8(Self.number(rest, at: 0, count: 1))
            rest = rest.dropFirst((Int(Self.number(rest, at: 1, count: 1)) + 1) * 8)
        }
        self.init(
            protocolNumber: next,
            from: Array(packet.dropFirst(8).prefix(16)),
            to: Array(packet.dropFirst(24).prefix(16)),
            rest
        )
    }

    private init?(protocolNumber: UInt8, from: [UInt8], to: [UInt8], _ data: ArraySlice<UInt8>) {
        guard data.count >= 8 else { return nil }
        self.source = Capture.Endpoint(address: from, port: UInt16(Self.number(data, at: 0, count: 2)))
        self.destination = Capture.Endpoint(address: to, port: UInt16(Self.number(data, at: 2, count: 2)))
        switch protocolNumber {
        case 17:
            let length = Int(Self.number(data, at: 4, count: 2))
            guard length >= 8 else { return nil }
            self.tcp = nil
            self.payload = data.prefix(length).dropFirst(8)
        case 6:
            let headerLength = Int(Self.number(data, at: 12, count: 1) >> 4) * 4
            guard headerLength >= 20, data.count >= headerLength else { return nil }
            let flags = Self.number(data, at: 13, count: 1)
            self.tcp = TCP(
                sequence: Self.number(data, at: 4, count: 4),
                isStart: flags & 0x02 != 0,
                isEnd: flags & 0x05 != 0
            )
            self.payload = data.dropFirst(headerLength)
        default: return nil
        }
    }
}
