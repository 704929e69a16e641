public import Foundation

/// The folder of a baresip without a screen or a sound card, on loopback: what the tour and the tests plug in as a phone.
public struct BaresipSettings: Sendable {
    /// Where Debian installs it (`baresip-core`).
    public static let program = "/usr/bin/baresip"
    /// Whether it is there.
    public static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: program) }

    /// The folder; it is made.
    public var folder: URL
    /// The line of its account: ``account(_:user:password:port:transport:refresh:answers:)``, or one of a caller's own.
    public var account: String
    /// What it says in calls, in hertz, while it records what it hears; nil for a phone that only writes.
    public var tone: Int?
    /// The port on loopback on which it takes commands and tells of events (`ctrl_tcp`).
    public var control: Int?
    /// The port on loopback that it listens on; one that is free if 0.
    public var port = 0
    /// Whether it prints its SIP.
    public var showsSIP = false
    /// Whether it sends a picture, too.
    public var hasVideo = false

    /// A phone with this account.
    public init(_ folder: URL, account: String, tone: Int? = nil, control: Int? = nil) {
        self.folder = folder
        self.account = account
        self.tone = tone
        self.control = control
    }

    /// The line of an account that registers with a password.
    ///
    /// - Parameters:
    ///   - port: the registrar's, on loopback.
    ///   - refresh: seconds that it asks for.
    ///   - answers: whether it takes every call at once.
    public static func account(
        _ address: String,
        user: String,
        password: String,
        port: Int,
        transport: String = "udp",
        refresh: Int = 600,
        answers: Bool = false
    ) -> String {
        "<\(address);transport=\(transport)>;auth_user=\(user);auth_pass=\(password)"
            + ";outbound=\"sip:127.0.0.1:\(port);transport=\(transport)\";regint=\(refresh)"
            + ";answermode=\(answers ? "auto" : "manual")"
    }

    /// What the program is started with.
    public var arguments: [String] { ["-4"] + (showsSIP ? ["-s"] : []) + ["-f", folder.path] }

    /// Where its output is to go.
    public var log: URL { folder.appendingPathComponent("log") }

    /// Writes its files.
    /// - Throws: what the file system has against it.
    public func write() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let config = (modules + settings).joined(separator: "\n") + "\n"
        try config.write(to: folder.appendingPathComponent("config"), atomically: true, encoding: .utf8)
        let accounts = folder.appendingPathComponent("accounts")
        try (account + "\n").write(to: accounts, atomically: true, encoding: .utf8)
    }

    private var modules: [String] {
        var modules = ["stdio.so"]
        if tone != nil { modules += ["g711.so", "ausine.so", "aubridge.so", "sndfile.so"] }
        if hasVideo { modules += ["vp8.so", "fakevideo.so"] }
        let applications = ["account.so", "menu.so"] + (control == nil ? [] : ["ctrl_tcp.so"])
        return ["module_path /usr/lib/baresip/modules"] + modules.map { "module \($0)" }
            + applications.map { "module_app \($0)" }
    }

    private var settings: [String] {
        var settings = ["sip_listen 127.0.0.1:\(port)", "net_interface 127.0.0.1", "call_max_calls 4"]
        if let control { settings.append("ctrl_tcp_listen 127.0.0.1:\(control)") }
        if let tone {
            settings += [
                "audio_source ausine,\(tone)", "audio_player aubridge,x", "audio_alert aubridge,y", "ausrc_channels 2",
                "ausrc_srate 48000", "snd_path \(folder.path)",
            ]
        }
        if hasVideo { settings += ["video_source fakevideo,nil", "video_display fakevideo,nil"] }
        return settings
    }

    /// What it has heard, a file for each call, oldest first.
    public var recordings: [Recording] {
        let all = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        return all.filter { $0.lastPathComponent.hasSuffix("dec.wav") }.sorted { $0.path < $1.path }.map(Recording.init)
    }

    /// The share of a tone in the last stretch of what it heard, from 0 to 1; that of the call in which it is greatest.
    public func hears(_ frequency: Int, seconds: Double = 1) -> Double {
        recordings.map { $0.share(of: frequency, seconds: seconds) }.max() ?? 0
    }
}
