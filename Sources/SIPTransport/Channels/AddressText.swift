import NIOCore

/// Addresses as text.
enum AddressText {
    static func text(_ bytes: [UInt8]) -> String {
        if bytes.count == 4 { return bytes.map { String($0) }.joined(separator: ".") }
        return stride(from: 0, to: bytes.count - 1, by: 2).map { index in
            String(UInt16(bytes[index]) << 8 | UInt16(bytes[index + 1]), radix: 16)
        }.joined(separator: ":")
    }

    /// The IP address of a socket's peer; every request needs it, so an IPv4 address is printed here.
    static func text(_ address: SocketAddress) -> String {
        guard case .v4 = address else { return address.ipAddress ?? "" }
        return address.withSockAddr { start, size in
            // Family and port stand before the four bytes.
            let bytes = UnsafeRawBufferPointer(start: start, count: size)[4..<8]
            return Self.dotted(bytes)
        }
    }

    private static func dotted(_ bytes: Slice<UnsafeRawBufferPointer>) -> String {
        String(unsafeUninitializedCapacity: 15) { buffer in
            var count = 0
            for byte in bytes {
                if count > 0 { append(0x2E) }
                if byte >= 100 { append(0x30 + byte / 100) }
                if byte >= 10 { append(0x30 + byte / 10 % 10) }
                append(0x30 + byte % 10)
            }
            return count

            func append(_ byte: UInt8) {
                buffer[count] = byte
                count += 1
            }
        }
    }
}

extension SocketAddress {
    /// Whether it stands for all addresses of the host.
    var isWildcard: Bool { self.ipAddress == "0.0.0.0" || self.ipAddress == "::" }

    /// The same address, at another port.
    func at(port: Int?) -> SocketAddress {
        var address = self
        address.port = port
        return address
    }
}
