/// Why a capture file was refused.
public struct CaptureError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What went wrong, as an open set.
    public struct Code: RawRepresentable, Sendable, Hashable {
        /// The stable text of the code.
        public let rawValue: String

        /// Makes a code from its stable text.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// The file is neither pcap nor pcapng.
        public static let unknownFormat = Self(rawValue: "capture-unknown-format")
        /// A record or block has an impossible length.
        public static let malformed = Self(rawValue: "capture-malformed")
        /// The file has more packets than ``CaptureLimits/maximumPackets``.
        public static let tooManyPackets = Self(rawValue: "capture-too-many-packets")
        /// The file has more streams than ``CaptureLimits/maximumStreams``.
        public static let tooManyStreams = Self(rawValue: "capture-too-many-streams")
    }

    /// What went wrong.
    public let code: Code
    /// What was expected, for people.
    public let reason: String
    /// The octet of the file where it was seen.
    public let offset: Int?

    /// Makes an error.
    public init(_ code: Code, _ reason: String, offset: Int? = nil) {
        self.code = code
        self.reason = reason
        self.offset = offset
    }

    /// Compares the codes only.
    public static func == (left: Self, right: Self) -> Bool { left.code == right.code }

    /// The code and the reason in one line.
    public var description: String { "\(self.code.rawValue): \(self.reason)" }
}

/// The bounds within which a capture file is read.
public struct CaptureLimits: Sendable, Equatable {
    /// The most packets.
    public var maximumPackets = 1_000_000
    /// The most streams, each direction of a connection counted.
    public var maximumStreams = 65_536
    /// The most octets of one stream that wait for a lost segment before the gap is passed over.
    public var maximumWaitingBytes = 1 << 20

    /// The customary bounds.
    public static let standard = CaptureLimits()

    /// The most segments of one stream that wait so.
    public var maximumWaitingSegments = 1024

    /// Starts from the customary bounds.
    public init() {}
}

/// What the packets of a capture file carried: UDP datagrams, and TCP streams put in order.
///
/// It reads pcap (both byte orders, microseconds and nanoseconds) and pcapng, with Ethernet (also tagged), Linux
/// cooked, loopback and raw IP links, and IPv4 and IPv6. Packets of other kinds and IP fragments are passed over.
public struct Capture: Sendable, Equatable {
    /// An address and port.
    public struct Endpoint: Sendable, Hashable, CustomStringConvertible {
        /// The octets of the address, 4 or 16.
        public let address: [UInt8]
        /// The port.
        public let port: UInt16

        /// The address and port as text; IPv6 in brackets, without runs of zeros shortened.
        public var description: String {
            guard self.address.count == 16 else {
                return self.address.map(String.init).joined(separator: ".") + ":\(self.port)"
            }
            let groups = stride(from: 0, to: 16, by: 2).map { index in
                String(UInt16(self.address[index]) << 8 | UInt16(self.address[index + 1]), radix: 16)
            }
            return "[\(groups.joined(separator: ":"))]:\(self.port)"
        }
    }

    /// How a payload travelled.
    public enum Transport: String, Sendable, Hashable {
        /// One datagram.
        case udp
        /// One direction of a connection, from its beginning or the beginning of the capture.
        case tcp
    }

    /// One datagram or one direction of a connection.
    public struct Payload: Sendable, Equatable {
        /// How it travelled.
        public let transport: Transport
        /// From where.
        public let source: Endpoint
        /// To where.
        public let destination: Endpoint
        /// The number of its first packet, counted from 1.
        public let frame: Int
        /// The octets.
        public var bytes: [UInt8]
        /// Whether octets are missing within: a segment was not captured.
        public var hasGap: Bool
    }

    /// The payloads in the order of their first packets.
    public let payloads: [Payload]

    /// Tells whether octets begin like a capture file.
    public static func resembles(_ bytes: [UInt8]) -> Bool { CaptureFile.Format(bytes) != nil }

    /// Reads a capture file; a last record that was cut is passed over.
    ///
    /// - Throws: ``CaptureError`` when it is none, a length in it is impossible, or a limit is passed.
    public init(parsing bytes: [UInt8], limits: CaptureLimits = .standard) throws(CaptureError) {
        var file = try CaptureFile(bytes)
        var streams = StreamAssembly(limits: limits)
        var frame = 0
        while let packet = try file.next() {
            frame += 1
            guard frame <= limits.maximumPackets else {
                throw CaptureError(.tooManyPackets, "at most \(limits.maximumPackets)", offset: file.position)
            }
            guard let segment = Segment(packet.bytes, link: packet.link) else { continue }
            try streams.take(segment, frame: frame)
        }
        self.payloads = streams.finish()
    }
}
