import FuzzSupport

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A planted fault: a run that does not find it within seconds proves that the fuzzing does not work.
func check(_ bytes: [UInt8]) {
    guard bytes.count >= 3, bytes[0] == 0x42, bytes[1] == 0x55, bytes[2] == 0x47 else { return }
    _ = bytes[bytes.count]
}

exit(runFuzzer(check))
