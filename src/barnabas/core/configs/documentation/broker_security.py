"""What the brokers' keys about TLS, SASL, tokens and permissions do."""

from __future__ import annotations

from .texts import texts

SECURITY: dict[str, str] = texts("""
authorizer.class.name
    What decides who may do what; org.apache.kafka.metadata.authorizer.StandardAuthorizer keeps ACLs in the metadata log. Without one
    everybody may do everything.
connections.max.reauth.ms
    Milliseconds after which a SASL client must log in again or is cut off; 0 never. listener.name.NAME.MECHANISM. in front sets it for one
    listener and mechanism.
delegation.token.expiry.check.interval.ms
    Milliseconds between looks for delegation tokens that have expired.
delegation.token.expiry.time.ms
    Milliseconds for which a delegation token is good before it must be renewed.
delegation.token.max.lifetime.ms
    Milliseconds after which a delegation token can't be renewed any more.
delegation.token.secret.key
    The secret that delegation tokens are signed with, the same on every node. Without it no tokens are issued.
principal.builder.class
    The Java class that makes a user's name of what a connection proved.
sasl.client.callback.handler.class
    A Java class that gives SASL clients their credentials.
sasl.enabled.mechanisms
    The SASL mechanisms that clients may choose from, such as SCRAM-SHA-512 or PLAIN. listener.name.NAME. in front sets it for one listener.
sasl.jaas.config
    How this node logs in, and what a mechanism needs on a listener, in JAAS's form. On a broker with listener.name.NAME.MECHANISM. in front.
sasl.kerberos.kinit.cmd
    The path of Kerberos' kinit.
sasl.kerberos.min.time.before.relogin
    The least milliseconds between two logins to Kerberos.
sasl.kerberos.principal.to.local.rules
    How Kerberos principals become user names: rules with commas between, the first that fits counts, DEFAULT takes the primary part.
sasl.kerberos.service.name
    The primary part of the brokers' Kerberos principal.
sasl.kerberos.ticket.renew.jitter
    The part of the renewal time that is left to chance, so that not all nodes renew at once.
sasl.kerberos.ticket.renew.window.factor
    The part of a Kerberos ticket's life, from 0 to 1, after which it is renewed.
sasl.login.callback.handler.class
    A Java class that gives this node's login its credentials. On a broker with listener.name.NAME.MECHANISM. in front.
sasl.login.class
    A Java class that does this node's login. On a broker with listener.name.NAME.MECHANISM. in front.
sasl.login.connect.timeout.ms
    Milliseconds that connecting to an OAuth provider may take.
sasl.login.read.timeout.ms
    Milliseconds that an OAuth provider's answer may take.
sasl.login.refresh.buffer.seconds
    Seconds before a token's end by which a new one is fetched, whatever the window says.
sasl.login.refresh.min.period.seconds
    Seconds that a new token is kept at least before it is replaced.
sasl.login.refresh.window.factor
    The part of a token's life, from 0.5 to 1, after which a new one is fetched.
sasl.login.refresh.window.jitter
    The part of a token's life that is left to chance on top, so that not all nodes refresh at once.
sasl.login.retry.backoff.max.ms
    The most milliseconds between tries to reach an OAuth provider.
sasl.login.retry.backoff.ms
    Milliseconds before the second try to reach an OAuth provider; each further failure doubles it.
sasl.mechanism.controller.protocol
    The SASL mechanism by which nodes log in to controllers.
sasl.mechanism.inter.broker.protocol
    The SASL mechanism by which brokers log in to each other.
sasl.oauthbearer.assertion.algorithm
    How an assertion that this node makes for its OAuth provider is signed: RS256 or ES256.
sasl.oauthbearer.assertion.claim.aud
    The audience named in such an assertion.
sasl.oauthbearer.assertion.claim.exp.seconds
    Seconds for which such an assertion is good.
sasl.oauthbearer.assertion.claim.iss
    The issuer named in such an assertion.
sasl.oauthbearer.assertion.claim.jti.include
    Whether such an assertion gets an id of its own.
sasl.oauthbearer.assertion.claim.nbf.seconds
    Seconds before now from which such an assertion is good, for clocks that differ.
sasl.oauthbearer.assertion.claim.sub
    The subject named in such an assertion.
sasl.oauthbearer.assertion.file
    A file with an assertion that something else makes and renews.
sasl.oauthbearer.assertion.private.key.file
    The file with the private key (PEM) that assertions are signed with.
sasl.oauthbearer.assertion.private.key.passphrase
    The passphrase of that private key.
sasl.oauthbearer.assertion.template.file
    A JSON file with further headers and claims for assertions.
sasl.oauthbearer.client.credentials.client.id
    The client id that this node shows its OAuth provider.
sasl.oauthbearer.client.credentials.client.secret
    The secret of that client id.
sasl.oauthbearer.clock.skew.seconds
    Seconds by which an OAuth provider's clock may differ from this node's.
sasl.oauthbearer.expected.audience
    Audiences of which a client's token must name one.
sasl.oauthbearer.expected.issuer
    The issuer that a client's token must name.
sasl.oauthbearer.jwks.endpoint.refresh.ms
    Milliseconds after which an OAuth provider's public keys are fetched again.
sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms
    The most milliseconds between tries to fetch an OAuth provider's keys.
sasl.oauthbearer.jwks.endpoint.retry.backoff.ms
    Milliseconds before the second try to fetch an OAuth provider's keys; each further failure doubles it.
sasl.oauthbearer.jwks.endpoint.url
    Where an OAuth provider's public keys are, as a URL of https or file.
sasl.oauthbearer.jwt.retriever.class
    The Java class that fetches this node's tokens.
sasl.oauthbearer.jwt.validator.class
    The Java class that checks clients' tokens.
sasl.oauthbearer.scope
    The scope that this node asks its OAuth provider for.
sasl.oauthbearer.scope.claim.name
    The claim in which a token names its scopes.
sasl.oauthbearer.sub.claim.name
    The claim in which a token names its user.
sasl.oauthbearer.token.endpoint.url
    Where this node fetches its tokens, as a URL of https or file.
sasl.server.callback.handler.class
    A Java class that checks clients' credentials. With listener.name.NAME.MECHANISM. in front.
sasl.server.max.receive.size
    The most bytes that a client may send at once while it logs in. Guards memory against clients that nobody knows yet.
security.providers
    Java classes that bring security providers along.
ssl.allow.dn.changes
    Whether a new key store, set while the broker runs, may be for another distinguished name.
ssl.allow.san.changes
    Whether a new key store, set while the broker runs, may leave out alternative names that the old one had.
ssl.cipher.suites
    The cipher suites that may be used; empty leaves it to the implementation.
ssl.client.auth
    Whether clients show a certificate: required, requested (those that have one) or none. required is what makes TLS tell users apart.
ssl.enabled.protocols
    The versions of TLS that may be spoken.
ssl.endpoint.identification.algorithm
    How a node checks that a server's certificate is for the host it called: https, or empty for not at all.
ssl.engine.factory.class
    A Java class that makes TLS engines.
ssl.key.password
    The passphrase that opens the private key, be it in a key store or in ssl.keystore.key.
ssl.keymanager.algorithm
    The Java algorithm that chooses keys.
ssl.keystore.certificate.chain
    The node's certificate and those that signed it, in PEM, written out.
ssl.keystore.key
    The node's private key in PEM, written out.
ssl.keystore.location
    The file with the node's key and certificates. Setting it again while the broker runs reads the file anew, for renewed certificates.
ssl.keystore.password
    The password of a JKS or PKCS12 key store. PEM has none.
ssl.keystore.type
    The form of the key store: JKS, PKCS12 or PEM.
ssl.principal.mapping.rules
    How a certificate's distinguished name becomes a user name: rules with commas between, the first that fits counts, DEFAULT takes it whole.
ssl.protocol
    The version of TLS to begin with.
ssl.provider
    The Java security provider for TLS.
ssl.secure.random.implementation
    The Java source of randomness for TLS.
ssl.trustmanager.algorithm
    The Java algorithm that checks certificates.
ssl.truststore.certificates
    The certificates to trust, in PEM, written out.
ssl.truststore.location
    The file with the certificates to trust. Setting it again while the broker runs reads the file anew.
ssl.truststore.password
    The password of a JKS or PKCS12 trust store. PEM has none.
ssl.truststore.type
    The form of the trust store: JKS, PKCS12 or PEM.
""")
