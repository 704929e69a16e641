import Foundation
import NIOCore
import Testing

/// A plain blocking socket, for speaking MSRP word by word.
final class RawSocket {
    private let descriptor: Int32
    private var received: [UInt8] = []

    init(descriptor: Int32) {
        self.descriptor = descriptor
        var noDelay: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &noDelay, socklen_t(MemoryLayout<Int32>.size))
    }

    convenience init(port: UInt16) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Self.loopback(port: port)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            _ = Foundation.close(descriptor)
            throw Refused()
        }
        self.init(descriptor: descriptor)
    }

    deinit { _ = Foundation.close(self.descriptor) }

    static func loopback(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    func send(_ text: String) throws { try self.send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var position = 0
        while position < bytes.count {
            let count = bytes[position...].withUnsafeBytes {
                Foundation.send(self.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            try #require(count > 0)
            position += count
        }
    }

    /// Sends in pieces that arrive as separate reads.
    func send(_ text: String, splitAt sizes: [Int]) async throws {
        var rest = Array(text.utf8)[...]
        var turn = 0
        while !rest.isEmpty {
            let size = min(sizes[turn % sizes.count], rest.count)
            try self.send(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
            turn += 1
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// The octets up to and with the end of the next frame; none when the peer has hung up.
    ///
    /// It waits without holding a thread: there are few, and the other end of the test needs one too.
    func frame() async throws -> String? {
        var buffer = [UInt8](repeating: 0, count: 65536)
        for _ in 0..<10_000 {
            if let text = self.takeFrame() { return text }
            let count = recv(self.descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count > 0 {
                self.received += buffer.prefix(count)
            } else if count == 0 || errno == ECONNRESET {
                return nil
            } else {
                try await Task.sleep(for: .milliseconds(1))
            }
        }
        throw Silence()
    }

    /// Nobody listens there.
    struct Refused: Error {}

    /// Nothing came in time.
    struct Silence: Error {}

    private func takeFrame() -> String? {
        let text = String(decoding: self.received, as: UTF8.self)
        guard text.hasPrefix("MSRP "), let id = text.split(separator: " ").dropFirst().first else { return nil }
        for flag in ["$", "+", "#"] {
            if let end = text.range(of: "-------\(id)\(flag)\r\n") {
                let frame = String(text[..<end.upperBound])
                self.received.removeFirst(frame.utf8.count)
                return frame
            }
        }
        return nil
    }
}

/// A plain listening socket.
final class RawListener {
    private let descriptor: Int32
    let port: UInt16

    private struct IsTaken: Error {}

    /// A port that nobody is given by chance, as every socket without one is: for who has to name it before it is opened.
    static func quietPort() throws -> UInt16 {
        for _ in 0..<100 {
            if let listener = try? RawListener(port: .random(in: 20_000..<32_000)) { return listener.port }
        }
        throw IsTaken()
    }

    init(port: UInt16 = 0) throws {
        self.descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
        var address = RawSocket.loopback(port: port)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = self.descriptor
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && listen(descriptor, 8) == 0 && getsockname(descriptor, $0, &size) == 0
            }
        }
        self.port = UInt16(bigEndian: address.sin_port)
        guard result else { throw IsTaken() }
    }

    deinit { _ = Foundation.close(self.descriptor) }

    func accept() async throws -> RawSocket {
        for _ in 0..<10_000 {
            let accepted = Foundation.accept(self.descriptor, nil, nil)
            if accepted >= 0 { return RawSocket(descriptor: accepted) }
            try await Task.sleep(for: .milliseconds(1))
        }
        throw RawSocket.Silence()
    }
}

extension String {
    /// The value of a header in a frame.
    func header(_ name: String) -> String? {
        self.components(separatedBy: "\r\n").first { $0.lowercased().hasPrefix(name.lowercased() + ":") }
            .map { $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces) }
    }

    var transactionID: String { String(self.split(separator: " ")[1]) }

    var startLine: String { self.components(separatedBy: "\r\n")[0] }

    /// What comes after the empty line and before the end-line.
    var content: String? {
        guard let start = self.range(of: "\r\n\r\n"),
            let end = self.range(of: "\r\n-------", options: .backwards), start.upperBound <= end.lowerBound
        else { return nil }
        return String(self[start.upperBound..<end.lowerBound])
    }
}
