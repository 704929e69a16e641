import FoundationEssentials
import Yams

extension Configuration {
    /// Reads and checks a file.
    /// - Throws: ``ConfigurationError`` with everything that is wrong with it.
    public init(file path: String) throws {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ConfigurationError(
                source: path,
                problems: [
                    ConfigurationProblem(
                        key: "file",
                        line: nil,
                        problem: "cannot be read",
                        mend: "give the path of a configuration; 'continuo init' writes one"
                    )
                ]
            )
        }
        try self.init(yaml: String(decoding: data, as: UTF8.self), source: path)
    }

    /// Reads and checks the text of a file.
    /// - Throws: ``ConfigurationError``.
    public init(yaml: String, source: String) throws {
        self.init()
        var problems: [ConfigurationProblem] = []
        do {
            if let root = try Yams.compose(yaml: yaml) { read(root, at: "", into: &problems) }
        } catch {
            problems.append(
                ConfigurationProblem(
                    key: "file",
                    line: nil,
                    problem: "not YAML: \(error)",
                    mend: "check the indentation near there"
                )
            )
        }
        problems += inconsistencies()
        guard problems.isEmpty else { throw ConfigurationError(source: source, problems: problems) }
    }

    private mutating func read(_ node: Node, at path: String, into problems: inout [ConfigurationProblem]) {
        // A group whose lines are all comments.
        if node.null != nil { return }
        guard case .mapping(let mapping) = node else {
            problems.append(
                ConfigurationProblem(
                    key: path.isEmpty ? "file" : path,
                    line: node.mark?.line,
                    problem: "expected keys with values",
                    mend: "write key: value lines below it"
                )
            )
            return
        }
        for (keyNode, value) in mapping {
            let name = keyNode.string ?? "?"
            let full = path.isEmpty ? name : "\(path).\(name)"
            if let key = ConfigurationKey.all.first(where: { $0.path == full }) {
                do {
                    try key.read(value, &self)
                } catch {
                    problems.append(
                        ConfigurationProblem(
                            key: full,
                            line: keyNode.mark?.line,
                            problem: error.problem,
                            mend: error.mend
                        )
                    )
                }
            } else if ConfigurationKey.all.contains(where: { $0.path.hasPrefix(full + ".") }) {
                read(value, at: full, into: &problems)
            } else {
                problems.append(
                    ConfigurationProblem(
                        key: full,
                        line: keyNode.mark?.line,
                        problem: "no such key",
                        mend: nearest(to: full).map { "did you mean \($0)?" } ?? "remove it"
                    )
                )
            }
        }
    }

    /// What single values cannot tell.
    private func inconsistencies() -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        if let tls, tls.certificate.isEmpty || tls.key.isEmpty {
            problems.append(
                ConfigurationProblem(
                    key: "client.tls",
                    line: nil,
                    problem: "a certificate needs its key, and a key its certificate",
                    mend: "give both client.tls.certificate and client.tls.key"
                )
            )
        }
        if let tls {
            for path in [tls.certificate, tls.key]
            where !path.isEmpty && !FileManager.default.isReadableFile(atPath: path) {
                problems.append(
                    ConfigurationProblem(
                        key: "client.tls",
                        line: nil,
                        problem: "\(path) cannot be read",
                        mend: "check path and rights"
                    )
                )
            }
        }
        if tls == nil, !listen.isLoopback, !allowPlain {
            problems.append(
                ConfigurationProblem(
                    key: "client.listen",
                    line: nil,
                    problem: "\(listen) can be reached by others, without TLS",
                    mend: "give client.tls, listen on 127.0.0.1, or set client.allow-plain behind a proxy"
                )
            )
        }
        if !operatorListen.isLoopback {
            problems.append(
                ConfigurationProblem(
                    key: "operator.listen",
                    line: nil,
                    problem: "\(operatorListen) can be reached by others",
                    mend: "listen on 127.0.0.1 and reach it through a tunnel"
                )
            )
        }
        if listen.isWildcard, publicURL == nil {
            problems.append(
                ConfigurationProblem(
                    key: "client.public-url",
                    line: nil,
                    problem: "missing: \(listen) is no address that links can lead to",
                    mend: "give the URL by which devices reach this server, such as https://messages.example.org"
                )
            )
        }
        if turn.isEmpty != (turnSecret == nil) {
            problems.append(
                ConfigurationProblem(
                    key: "media.turn",
                    line: nil,
                    problem: "TURN servers need the secret that credentials are made of, and it needs them",
                    mend: "give both media.turn and media.turn-secret, or neither"
                )
            )
        }
        problems += sipInconsistencies()
        if listen.port == operatorListen.port, listen.port != 0, listen.host == operatorListen.host {
            problems.append(
                ConfigurationProblem(
                    key: "operator.listen",
                    line: nil,
                    problem: "the same as client.listen",
                    mend: "give the operator's interface a port of its own"
                )
            )
        }
        return problems + peeringProblems()
    }

    private func nearest(to key: String) -> String? {
        let last = key.split(separator: ".").last ?? ""
        return ConfigurationKey.all.map(\.path).first { path in
            let candidate = path.split(separator: ".").last ?? ""
            return candidate == last || candidate.hasPrefix(last.prefix(3)) || last.hasPrefix(candidate.prefix(3))
        }
    }

    /// A commented file with these values.
    public var commentedYAML: String {
        var text = "# Continuo: configuration of one provider. Lines that begin with '#' show what else can be set.\n"
        var open: [String] = []
        for key in ConfigurationKey.all {
            let pieces = key.path.split(separator: ".").map(String.init)
            let groups = pieces.dropLast()
            if Array(groups) != open {
                for (depth, group) in groups.enumerated() where depth >= open.count || open[depth] != group {
                    let prefix = pieces.prefix(depth + 1).joined(separator: ".") + "."
                    let isComment = ConfigurationKey.all.allSatisfy { !$0.path.hasPrefix(prefix) || $0.isOptional }
                    text += "\n" + String(repeating: "  ", count: depth) + (isComment ? "# " : "") + "\(group):\n"
                }
                open = Array(groups)
            } else if groups.isEmpty {
                text += "\n"
            }
            let indent = String(repeating: "  ", count: groups.count)
            text += "\(indent)# \(key.explanation)\n"
            let value = key.sample(self)
            text += "\(indent)\(key.isOptional ? "# " : "")\(pieces.last ?? ""): \(value)\n"
        }
        return text
    }
}
