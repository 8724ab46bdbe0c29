"""SAP Business One over the DI gateway (DI API over HTTP): statements, read only."""
