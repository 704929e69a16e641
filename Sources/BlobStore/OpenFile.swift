import Glibc
import Store

/// An open file that closes itself. Every failure is a ``StoreError``: `full` when the disk is, else `file-failed`.
struct OpenFile: ~Copyable {
    let descriptor: CInt
    let path: String

    init(_ path: String, _ flags: CInt) throws {
        descriptor = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0o600)
        self.path = path
        guard descriptor >= 0 else { throw Self.failure("open", path) }
    }

    deinit { Glibc.close(descriptor) }

    func size() throws -> Int64 {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.failure("stat", path) }
        return Int64(status.st_size)
    }

    /// Reads up to `count` bytes at `offset`; fewer only at the end of the file.
    func read(at offset: Int64, count: Int) throws -> [UInt8] {
        var failed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let rest = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[filled...])
                let got = pread(descriptor, rest.baseAddress, rest.count, off_t(offset) + filled)
                if got < 0, errno == EINTR { continue }
                if got < 0 { failed = true }
                if got <= 0 { return }
                filled += got
            }
        }
        if failed { throw Self.failure("read", path) }
        return bytes
    }

    /// Writes all of `bytes` at `offset`; what a failed write left behind is cut off again.
    func write(_ bytes: [UInt8], at offset: Int64) throws {
        var done = 0
        while done < bytes.count {
            let wrote = bytes.withUnsafeBytes { buffer in
                let rest = UnsafeRawBufferPointer(rebasing: buffer[done...])
                return pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset) + done)
            }
            if wrote < 0, errno == EINTR { continue }
            guard wrote > 0 else {
                let failure = Self.failure("write", path)
                ftruncate(descriptor, off_t(offset))
                throw failure
            }
            done += wrote
        }
    }

    func synchronise() throws {
        guard fsync(descriptor) == 0 else { throw Self.failure("fsync", path) }
    }

    static func failure(_ call: String, _ path: String) -> StoreError {
        let number = errno
        let reason = "\(call) of \(path): \(String(cString: strerror(number)))"
        switch number {
        case ENOSPC, EDQUOT: return StoreError(.full, reason)
        case ENOENT: return StoreError(.missing, reason)
        default: return StoreError(.fileFailed, reason)
        }
    }
}
