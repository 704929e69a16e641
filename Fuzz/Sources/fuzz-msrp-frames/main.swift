import FuzzSupport

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

exit(runFuzzer(FrameCheck.run))
