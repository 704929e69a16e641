import Crypto
import FoundationEssentials
import Glibc

/// A file that is being sent.
final class FileHandleForReading: Sendable {
    private let descriptor: CInt
    let size: Int64

    init?(_ path: String) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        var status = stat()
        guard descriptor >= 0, fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            if descriptor >= 0 { close(descriptor) }
            return nil
        }
        size = Int64(status.st_size)
    }

    deinit { close(descriptor) }

    func read(at offset: Int64, count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let got = pread(descriptor, &bytes, count, off_t(offset))
        guard got >= 0 else { throw ClientError.storage("the file cannot be read") }
        return Array(bytes[..<got])
    }
}

/// A file that is being received: written under another name until it is whole.
final class FileHandleForWriting {
    private let descriptor: CInt
    private let path: String
    private(set) var size: Int64

    init?(_ path: String) {
        self.path = path
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return nil }
        size = Int64(lseek(descriptor, 0, SEEK_END))
    }

    deinit { close(descriptor) }

    func truncate() throws {
        guard ftruncate(descriptor, 0) == 0 else { throw ClientError.storage("\(path) cannot be written") }
        size = 0
    }

    func append(_ bytes: [UInt8]) throws {
        var done = 0
        while done < bytes.count {
            let wrote = bytes.withUnsafeBytes { buffer in
                pwrite(descriptor, buffer.baseAddress.map { $0 + done }, bytes.count - done, off_t(size))
            }
            guard wrote > 0 else { throw ClientError.storage("\(path): \(String(cString: strerror(errno)))") }
            done += wrote
            size += Int64(wrote)
        }
    }

    func sha256() throws -> String {
        var hash = SHA256()
        var piece = [UInt8](repeating: 0, count: 1 << 20)
        var offset: Int64 = 0
        while true {
            let got = pread(descriptor, &piece, piece.count, off_t(offset))
            guard got >= 0 else { throw ClientError.storage("\(path) cannot be read") }
            if got == 0 { break }
            hash.update(data: piece[..<got])
            offset += Int64(got)
        }
        return hash.finalize().map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    func publish(as name: String) -> Bool { fsync(descriptor) == 0 && rename(path, name) == 0 }

    func remove() { unlink(path) }
}
