import ArgumentParser
import ClientWire
import ContinuoClient
import Foundation
import MessagingCore

/// Which of the devices kept here a command speaks as, and how it prints.
struct DeviceOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Speak as this device; needed when several are kept. Or set CONTINUO_DEVICE.",
            valueName: "name"
        )
    )
    var device: String?
    @Flag(help: "Print JSON, one object a line.")
    var json = false

    static var folder: String { DeviceProfile.defaultFolder }

    /// The device meant.
    /// - Throws: ``CommandFailure`` when none is kept, or it is not clear which.
    func profile() throws -> DeviceProfile {
        let names = DeviceProfile.names(in: Self.folder)
        let wanted = device ?? ProcessInfo.processInfo.environment["CONTINUO_DEVICE"]
        guard let name = wanted ?? (names.count == 1 ? names.first : nil) else {
            throw CommandFailure.misused(
                names.isEmpty
                    ? "no device has logged in here\n    continuo login ADDRESS --server URL"
                    : "several devices are kept here: \(names.joined(separator: ", "))\n    say which with --device NAME"
            )
        }
        return try mapped { try DeviceProfile(name: name, in: Self.folder) }
    }

    func client() throws -> ContinuoClient { try mapped { try profile().client() } }
}

/// Turns the SDK's errors into the program's.
func commandFailure(_ error: any Error) -> any Error {
    guard let error = error as? ClientError else { return error }
    switch error {
    case .unreachable(let reason):
        return CommandFailure.unreachable(
            "\(reason)\n    is the server running? 'make run' starts one with demo accounts"
        )
    case .refused, .unexpected, .storage: return CommandFailure.refused("\(error)")
    }
}

func mapped<T>(_ body: () throws -> T) throws -> T {
    do { return try body() } catch { throw commandFailure(error) }
}

/// The same for what talks to the server.
func reaching<T>(_ body: () async throws -> T) async throws -> T {
    do { return try await body() } catch { throw commandFailure(error) }
}

/// Reads a message id as typed.
func parseMessageID(_ text: String) throws -> MessageID {
    do {
        return try MessageID(text)
    } catch {
        throw CommandFailure.misused("'\(text)' is no message id: \(error.detail)")
    }
}

/// A progress bar on standard error, drawn only for people.
final class ProgressBar: Sendable {
    private let label: String
    private let isShown: Bool

    init(_ label: String, json: Bool) {
        self.label = label
        isShown = isatty(STDERR_FILENO) == 1 && !json
    }

    func show(_ progress: TransferProgress) {
        guard isShown else { return }
        let share = progress.total > 0 ? min(1, Double(progress.bytes) / Double(progress.total)) : 1
        let filled = Int(share * 30)
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 30 - filled)
        let end = progress.bytes >= progress.total ? "\n" : ""
        let text = "\r\(label) [\(bar)] \(Int(share * 100))% of \(formatBytes(progress.total))\(end)"
        FileHandle.standardError.write(Data(text.utf8))
    }
}

/// The media type that a file's name suggests.
func mediaType(of path: String) -> String {
    let types = [
        "txt": "text/plain", "html": "text/html", "md": "text/markdown", "jpg": "image/jpeg", "jpeg": "image/jpeg",
        "png": "image/png", "gif": "image/gif", "webp": "image/webp", "svg": "image/svg+xml", "heic": "image/heic",
        "mp4": "video/mp4", "mov": "video/quicktime", "webm": "video/webm", "mp3": "audio/mpeg", "m4a": "audio/mp4",
        "ogg": "audio/ogg", "wav": "audio/wav", "pdf": "application/pdf", "json": "application/json",
        "zip": "application/zip", "vcf": "text/vcard",
    ]
    return types[URL(fileURLWithPath: path).pathExtension.lowercased()] ?? "application/octet-stream"
}

/// Text from elsewhere, with everything that could steer a terminal made visible.
func printable(_ text: String) -> String {
    String(
        text.unicodeScalars.map { scalar in
            let steers = scalar.value < 0x20 && scalar != "\n" && scalar != "\t" || (0x7F...0x9F).contains(scalar.value)
            return steers || scalar.properties.isBidiControl ? "\u{FFFD}" : Character(scalar)
        }
    )
}
