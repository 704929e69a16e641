import CPIM
import FuzzSupport

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The result never passes the bound, whatever the stream says; what is wrapped comes back.
func check(_ bytes: [UInt8]) {
    let bound = 1 << 16
    if let output = try? Inflate.zlib(bytes[...], maximumBytes: bound) {
        precondition(output.count <= bound, "more than the bound came out")
    }
    precondition((try? Inflate.zlib(Inflate.storedZlib(bytes)[...], maximumBytes: bytes.count)) == bytes, "lost")
}

exit(runFuzzer(check))
