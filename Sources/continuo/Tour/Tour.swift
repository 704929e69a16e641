import ArgumentParser
import Dispatch
import Foundation

/// `continuo tour`
struct Tour: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Play the whole use case with real devices between two real providers, a line a step.",
        discussion: """
            Two servers, three browsers, two terminals and a SIP phone, all of them programs of their own on this machine.
            Steps: 1 to 32, 27a to 33a (the conversation is pulled), 27b to 41b (voice and a video), R1 to R18.
            """
    )
    @Flag(help: "Print JSON, one object a line: step, ok, observed.")
    var json = false
    @Option(help: ArgumentHelp("Play what this step needs, and report this one.", valueName: "step"))
    var step: String?
    @Option(help: ArgumentHelp("Break this step's mechanism; the tour has to fail at it.", valueName: "step"))
    var sabotage: String?
    @Flag(help: "Keep the folder with configurations, logs and data.")
    var keep = false

    /// One line of `--json`.
    private struct Line: Encodable, Sendable {
        var step: String
        var ok: Bool
        var observed: String
        var seconds: Double
    }

    private static let sabotagePatience = 8

    func run() async throws {
        let steps = try plan()
        try Self.lookForPrograms()
        let folder = FileManager.default.temporaryDirectory.path + "/continuo-tour-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: folder,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        let signals = Self.endOnSignals(folder)
        defer {
            for one in signals { one.cancel() }
            Companion.endAll()
            if !keep { try? FileManager.default.removeItem(atPath: folder) }
        }
        let began = ContinuousClock.now
        let stage: Stage
        do {
            stage = try await Stage(folder: folder)
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure.refused("the tour cannot begin: \(error)")
        }
        let failed: [String]
        do {
            failed = try await play(steps, on: stage)
        } catch {
            await stage.end()
            throw error
        }
        await stage.end()
        let time = (ContinuousClock.now - began) / .seconds(1)
        if keep { printError("the tour's folder: \(folder)") }
        guard failed.isEmpty else {
            throw CommandFailure.refused("not seen: \(failed.joined(separator: ", "))")
        }
        if !json { print(String(format: "%d steps seen in %.0f s", steps.count, time)) }
    }

    private func plan() throws -> [TourStep] {
        guard let name = sabotage ?? step else { return TourPlan.all }
        let all = TourPlan.all.map(\.name)
        // Numbers that only the second alternative has need no letter.
        guard let steps = TourPlan.chain(to: name) ?? TourPlan.chain(to: name + "b") ?? TourPlan.chain(to: name + "a")
        else { throw CommandFailure.misused("there is no step \(name): \(all.joined(separator: ", "))") }
        return steps
    }

    private static func lookForPrograms() throws {
        let missing = [(Chromium.program, "chromium"), (Baresip.program, "baresip-core")].filter {
            !FileManager.default.isExecutableFile(atPath: $0.0)
        }
        guard missing.isEmpty else {
            throw CommandFailure.refused(
                "the tour needs programs that are not here: apt-get install \(missing.map(\.1).joined(separator: " "))"
            )
        }
    }

    /// The programs do not outlive the tour, however it ends.
    private static func endOnSignals(_ folder: String) -> [any DispatchSourceSignal] {
        [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler {
                Companion.endAll()
                try? FileManager.default.removeItem(atPath: folder)
                Foundation.exit(1)
            }
            source.resume()
            return source
        }
    }

    /// - Returns: the steps that were not seen.
    private func play(_ steps: [TourStep], on stage: Stage) async throws -> [String] {
        let isWhole = step == nil && sabotage == nil
        let broken = sabotage == nil ? nil : steps.last
        var failed: [String] = []
        for one in steps {
            let isReported = isWhole || one.name == steps.last?.name
            if let after = one.after, failed.contains(after) {
                failed.append(one.name)
                report(one, false, "not played, after \(after)", 0)
                continue
            }
            let began = ContinuousClock.now
            func seconds() -> Double { (ContinuousClock.now - began) / .seconds(1) }
            if let broken, one.name == broken.sabotage.before ?? broken.name {
                try await breakMechanism(of: broken, on: stage)
            }
            do {
                if broken?.name == one.name { Patience.set(seconds: Self.sabotagePatience) }
                let observed = try await one.play(stage)
                if isReported { report(one, true, observed, seconds()) }
            } catch {
                failed.append(one.name)
                report(one, false, "\(commandFailure(error))\(await stage.complaints())", seconds())
            }
        }
        return failed
    }

    /// - Throws: ``CommandFailure`` of another kind than that of a step that is not seen.
    private func breakMechanism(of step: TourStep, on stage: Stage) async throws {
        if !json { print("sabotage: \(step.sabotage.words)") }
        do {
            try await step.sabotage.act(stage)
        } catch {
            throw CommandFailure.unreachable("the sabotage of \(step.name) cannot be done: \(error)")
        }
    }

    private func report(_ step: TourStep, _ ok: Bool, _ observed: String, _ seconds: Double) {
        let words = observed.replacingOccurrences(of: "\n", with: " ")
        if json {
            let rounded = (seconds * 10).rounded() / 10
            try? printJSON(Line(step: step.name, ok: ok, observed: words, seconds: rounded))
        } else {
            print("\(ok ? "ok " : "BAD") \(step.name.padding(toLength: 4, withPad: " ", startingAt: 0)) \(step.words)")
            print("         \(words)")
        }
        fflush(nil)
    }
}
