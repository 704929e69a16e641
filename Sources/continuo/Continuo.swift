import ArgumentParser
import Foundation

/// The one program: server, operator's tools, and a client for the terminal.
struct Continuo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "continuo",
        abstract: "Messages and conversations that follow a person from device to device.",
        version: "0.1.0",
        groupedSubcommands: [
            CommandGroup(
                name: "Messages",
                subcommands: [
                    LogIn.self, LogOut.self, Send.self, Inbox.self, Watch.self, Read.self, Delete.self, Fetch.self,
                    Search.self, Rules.self, AvailabilityCommand.self, Contacts.self, Files.self, Devices.self,
                    Me.self,
                ]
            ),
            CommandGroup(name: "Conversations", subcommands: [ChatCommand.self, SessionsCommand.self]),
            CommandGroup(
                name: "Server",
                subcommands: [Serve.self, Initialise.self, Demo.self, Tour.self, Doctor.self]
            ),
            CommandGroup(name: "Tools", subcommands: [Decode.self, Bench.self]),
            CommandGroup(
                name: "Operator",
                subcommands: [
                    Accounts.self, AccountDevices.self, Settings.self, Status.self, Trace.self, Backup.self,
                    Restore.self,
                ]
            ),
        ]
    )
}

/// How the program ends: 0 done, 1 refused, 2 used wrongly, 3 nothing answered.
struct CommandFailure: Error, CustomStringConvertible {
    var description: String
    var exit: CInt

    static func refused(_ text: String) -> CommandFailure { CommandFailure(description: text, exit: 1) }
    static func misused(_ text: String) -> CommandFailure { CommandFailure(description: text, exit: 2) }
    static func unreachable(_ text: String) -> CommandFailure { CommandFailure(description: text, exit: 3) }
}

@main
enum Program {
    static func main() async {
        // A parent's mask is not ours: a server that cannot be told to stop is no good.
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
        // A reader that goes away (`| head`) ends the program quietly through the write's own error.
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try Continuo.parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let failure as CommandFailure {
            printError("continuo: \(failure)")
            exit(failure.exit)
        } catch {
            let code = Continuo.exitCode(for: error)
            let isUsage = code == .validationFailure
            let text = Continuo.fullMessage(for: error)
            if code.isSuccess { print(text) } else { printError(text) }
            exit(code.isSuccess ? 0 : isUsage ? 2 : 1)
        }
    }
}

/// Minutes of the command line in milliseconds.
/// - Throws: ``CommandFailure`` for none, and for more than ten years.
func milliseconds(minutes: Int) throws -> Int64 {
    guard (1...5_256_000).contains(minutes) else {
        throw CommandFailure.misused("\(minutes) minutes: give 1 to 5256000, which is ten years")
    }
    return Int64(minutes) * 60_000
}

/// Writes a line to standard error.
func printError(_ text: String) {
    FileHandle.standardError.write(Data((text + "\n").utf8))
}
