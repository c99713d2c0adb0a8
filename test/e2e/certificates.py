"""Certificates that sign themselves, for servers on 127.0.0.1, made by the openssl program."""
import json
import pathlib
import ssl
import subprocess


class SelfSigned:
    def __init__(self, folder, name="server"):
        self.certificate, self.key = pathlib.Path(folder) / f"{name}.crt", pathlib.Path(folder) / f"{name}.key"
        self.renew()

    def renew(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=troupe test",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(self.key), "-out", str(self.certificate)],
                       check=True, capture_output=True, timeout=60)
        self.key.chmod(0o600)

    def toml(self):
        return f"tls_certificate = {json.dumps(str(self.certificate))}\ntls_key = {json.dumps(str(self.key))}\n"

    def trusting(self):
        """A client's context that knows this certificate alone."""
        return ssl.create_default_context(cafile=str(self.certificate))
