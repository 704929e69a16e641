import ClientWire
import Foundation
import MessagingCore

/// The ordinary server as a process of its own, with a folder of its own, ended when let go.
final class ServerUnderTest {
    let folder: URL
    let process = Process()
    let clientPort: Int
    let operatorPort: Int
    let token: String
    let usesTLS: Bool
    let domain: String

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Starts `continuo serve` with a fresh database and waits until it is ready.
    ///
    /// - Parameter more: further lines of its configuration.
    init(executable: String, tls: Bool, domain: String = "bench.example", more: String = "") async throws {
        usesTLS = tls
        self.domain = domain
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("continuo-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        clientPort = Int.random(in: 20000..<40000)
        operatorPort = clientPort + 1
        var yaml = """
            data: \(folder.path)/data
            domains: [\(domain)]
            client:
              listen: 127.0.0.1:\(clientPort)

            """
        if tls {
            try Self.makeCertificate(in: folder)
            yaml += """
                  tls:
                    certificate: \(folder.path)/certificate.pem
                    key: \(folder.path)/key.pem

                """
        }
        yaml += """
            operator:
              listen: 127.0.0.1:\(operatorPort)
            passwords:
              cost: 10
            log:
              level: warning

            """
        yaml += more
        let configuration = folder.appendingPathComponent("continuo.yaml")
        try yaml.write(to: configuration, atomically: true, encoding: .utf8)
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = ["serve", "--config", configuration.path]
        let log = folder.appendingPathComponent("server.log")
        _ = FileManager.default.createFile(atPath: log.path, contents: nil)
        let handle = try FileHandle(forWritingTo: log)
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
        let tokenFile = folder.appendingPathComponent("data/operator-token")
        var found: String?
        for _ in 0..<200 {
            if let text = try? String(contentsOf: tokenFile, encoding: .utf8),
                await HTTP.answers(port: operatorPort, path: "/health/ready")
            {
                found = text.trimmingCharacters(in: .whitespacesAndNewlines)
                break
            }
            guard process.isRunning else { break }
            try await Task.sleep(for: .milliseconds(50))
        }
        guard let found else {
            throw Failure(
                description: "the server did not start:\n" + ((try? String(contentsOf: log, encoding: .utf8)) ?? "")
            )
        }
        token = found
    }

    func stop() {
        if process.isRunning {
            process.terminate()
            process.waitUntilExit()
        }
        try? FileManager.default.removeItem(at: folder)
    }

    /// CPU seconds so far, of threads that have ended too; in steps of 10 ms.
    var cpuSeconds: Double { ProcessTime(process.processIdentifier)?.cpuSeconds ?? 0 }

    /// CPU seconds of the threads that live now: exact, for stretches so short that none ends.
    var exactCPUSeconds: Double {
        let tasks = "/proc/\(process.processIdentifier)/task"
        var nanoseconds = 0.0
        for task in (try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? [] {
            guard let text = try? String(contentsOfFile: "\(tasks)/\(task)/schedstat", encoding: .utf8),
                let first = text.split(separator: " ").first, let value = Double(first)
            else { continue }
            nanoseconds += value
        }
        return nanoseconds / 1e9
    }

    /// Bytes handed to the disk so far.
    var bytesWritten: Int64 { field("write_bytes:", in: "io") ?? 0 }

    /// Resident memory in KiB.
    var residentKiB: Int64 { field("VmRSS:", in: "status") ?? 0 }

    /// Resident memory in KiB that no file stands behind: pages of the mapped database are the system's to take back.
    var ownKiB: Int64 { field("RssAnon:", in: "status") ?? 0 }

    private func field(_ name: String, in file: String) -> Int64? {
        guard let text = try? String(contentsOfFile: "/proc/\(process.processIdentifier)/\(file)", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix(name) })
        else { return nil }
        return line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int64($0) }
    }

    /// Size of the data folder in bytes.
    var bytesKept: Int64 {
        let data = folder.appendingPathComponent("data")
        guard let files = FileManager.default.enumerator(at: data, includingPropertiesForKeys: [.fileSizeKey]) else {
            return 0
        }
        var sum: Int64 = 0
        for case let file as URL in files {
            sum += Int64((try? file.resourceValues(forKeys: [.fileSizeKey]).fileSize) ?? 0)
        }
        return sum
    }

    private static func makeCertificate(in folder: URL) throws {
        let openssl = Process()
        openssl.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        openssl.arguments = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
            "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
            "\(folder.path)/key.pem", "-out", "\(folder.path)/certificate.pem",
        ]
        openssl.standardError = FileHandle.nullDevice
        try openssl.run()
        openssl.waitUntilExit()
    }
}

/// What the kernel tells of a process.
struct ProcessTime {
    let parent: Int32
    /// User and system time, in steps of 10 ms.
    let cpuSeconds: Double

    init?(_ identifier: Int32) {
        guard let text = try? String(contentsOfFile: "/proc/\(identifier)/stat", encoding: .utf8),
            let name = text.lastIndex(of: ")")
        else { return nil }
        // After the name come state (field 3), the parent, and so on; 14 and 15 are user and system time in ticks of 10 ms.
        let fields = text[name...].split(separator: " ").dropFirst()
        parent = fields.dropFirst().first.flatMap { Int32($0) } ?? 0
        cpuSeconds = fields.dropFirst(11).prefix(2).compactMap { Double($0) }.reduce(0, +) / 100
    }

    /// CPU seconds of a process and of its children.
    static func ofFamily(_ identifier: Int32) -> Double {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.reduce(0) { sum, other in
            guard let time = ProcessTime(other), other == identifier || time.parent == identifier else { return sum }
            return sum + time.cpuSeconds
        }
    }
}
