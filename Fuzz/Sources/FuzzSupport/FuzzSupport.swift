import CFuzzerDriver

/// What a fuzz target does with one input; libFuzzer takes a plain C function, so it is kept here.
nonisolated(unsafe) private var body: ([UInt8]) -> Void = { _ in }

/// Runs libFuzzer over a function with the arguments of the program.
///
/// - Returns: the exit code.
public func runFuzzer(_ function: @escaping ([UInt8]) -> Void) -> Int32 {
    body = function
    var count = CommandLine.argc
    var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
    return LLVMFuzzerRunDriver(&count, &arguments) { data, size in
        body(data.map { Array(UnsafeBufferPointer(start: $0, count: size)) } ?? [])
        return 0
    }
}
