import ContinuoServer
import Foundation

/// Says what to try, in commands that can be pasted.
struct DemoGuide: Sendable {
    let plan: DemoPlan
    let folder: String

    /// - Parameter tokens: of the operators' pages, by provider.
    func print(tokens: [String]) {
        let first = plan.providers[0]
        Swift.print(
            """

            Continuo runs at \(first.url)/demo/  (data: \(folder))
            Open it in a browser: Alice's and Bob's devices side by side, each with a registration of its own.
            \(providers(tokens))
            Alice's rules: business mail (\(address("alice.work"))) to the laptop only; on the fixed phone no
            pictures; large things on the mobile as a notification.

            The same from terminals, from this folder:

              export XDG_DATA_HOME="\(shellData)" PATH="$PWD/.build/debug:$PATH"
              continuo watch --device alice-mobile          # leave it running; more terminals: alice-phone, alice-laptop

            and in a third one:

              export XDG_DATA_HOME="\(shellData)" PATH="$PWD/.build/debug:$PATH"
              continuo send \(address("alice")) --device bob-laptop --text "Look at this" --file docs/demo/harbour.png
              continuo inbox --device alice-laptop          # the message, with its id
              continuo rules why MESSAGE-ID --device alice-laptop
              continuo read --device alice-laptop           # read here, and read on the mobile too
              continuo delete MESSAGE-ID --device alice-laptop        # gone everywhere; --here: on this device only
              continuo send \(address("alice.work")) --device bob-laptop --text "The contract"   # laptop only
              continuo trace MESSAGE-ID --data \(folder)/\(folderName(of: first)) --url \(first.operatorURL)

            A conversation that moves, one terminal each (/help shows what can be done in it):

              continuo chat --device bob-pda
              continuo chat --device alice-mobile
              continuo chat \(address("bob")) --device alice-laptop --subject "Lunch?"
              # on the PDA: /accept     then, on the laptop: /move mobile     and go on typing on the mobile

            Passwords are '\(DemoPlan.password)'. Stop with Ctrl-C; what happened stays in \(folder).
            """
        )
        // Whoever reads it through a pipe waits for it.
        fflush(nil)
    }

    private func providers(_ tokens: [String]) -> String {
        let pages = zip(plan.providers, tokens).map { provider, token in "\(provider.operatorURL)/#token=\(token)" }
        guard plan.providers.count > 1 else { return "The operator's page: \(pages[0])" }
        let lines = zip(plan.providers, pages).map { provider, page in
            """
              \(provider.domain): \(provider.people.map(\.name).joined(separator: ", ")), devices at \(provider.url)
                operator's page: \(page)
            """
        }
        return """
            Two providers, two servers, each with its own data; they talk only by SIP over TLS, with certificates
            that know each other (\(folder)/certificates):
            \(lines.joined(separator: "\n"))
            """
    }

    private var shellData: String { folder.hasPrefix("/") ? folder : "$PWD/\(folder)" }

    private func folderName(of provider: DemoProvider) -> String {
        URL(fileURLWithPath: provider.configuration.data).lastPathComponent
    }

    /// Somebody's address, at the provider where that person is.
    private func address(_ local: String) -> String {
        let home = plan.providers.first { $0.people.contains { $0.locals.contains(local) } }
        return "\(local)@\(home?.domain ?? plan.providers[0].domain)"
    }
}
