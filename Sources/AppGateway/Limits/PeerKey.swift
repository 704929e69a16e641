import NIOCore

/// Who a connection comes from, as rates count: an IPv4 address, or the /64 of an IPv6 one.
struct PeerKey: Hashable, Sendable {
    private let network: [UInt8]

    init(_ address: SocketAddress?) {
        network =
            switch address {
            case .v4: Self.bytes(of: address, 4..<8)
            case .v6: Self.network(of: Self.bytes(of: address, 8..<24))
            case .unixDomainSocket, nil: []
            }
    }

    /// A part of the address as the system keeps it: the port comes first, in IPv6 the flow label too.
    private static func bytes(of address: SocketAddress?, _ range: Range<Int>) -> [UInt8] {
        address?.withSockAddr { pointer, size in
            let bytes = UnsafeRawBufferPointer(start: pointer, count: size)
            return range.upperBound <= bytes.count ? Array(bytes[range]) : []
        } ?? []
    }

    /// An IPv4 address in IPv6's clothes is that IPv4 address.
    private static func network(of bytes: [UInt8]) -> [UInt8] {
        let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
        return bytes.starts(with: mapped) ? Array(bytes.suffix(4)) : Array(bytes.prefix(8))
    }
}
