import Glibc

/// Ports of this machine that nobody listens on now: for servers that have to know each other's before they start.
enum FreePorts {
    /// So many ports of 127.0.0.1, all different.
    static func take(_ count: Int) throws -> [Int] {
        var sockets: [CInt] = []
        defer { for one in sockets { close(one) } }
        return try (0..<count).map { _ in
            let socket = Glibc.socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
            guard socket >= 0 else { throw CommandFailure.refused("there are no sockets to be had") }
            // Held until all are found, so that none comes twice.
            sockets.append(socket)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let isBound = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                    bind(socket, pointer, length) == 0 && getsockname(socket, pointer, &length) == 0
                }
            }
            guard isBound else { throw CommandFailure.refused("there are no ports to be had") }
            return Int(UInt16(bigEndian: address.sin_port))
        }
    }
}
